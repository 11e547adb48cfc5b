"""Triggers that fire triggers: chains of them (TRG003), and circles without an end in sight (TRG004).

Knows which trigger's writes fire which other one, by the texts of their functions. Promises each chain once, where it begins, and each
circle once. Writing a log does not make a chain longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.audit.rules.triggers import BY_ID
from reconciler.audit.triggers.wiring import Effect, Trigger, Wiring
from reconciler.model import Finding, ObjectId


def written(wiring: Wiring, trigger: Trigger, logs: frozenset[ObjectId]) -> tuple[Effect, ...]:
    """What a trigger writes that is no log."""
    return tuple(
        effect
        for effect in wiring.effects(trigger.function)
        if effect.use.writes and effect.table not in logs
    )


def chained(wiring: Wiring, logs: frozenset[ObjectId]) -> Iterator[Finding]:
    """Chains are told where they begin, the longest one of each trigger."""
    follows = {
        trigger.id: tuple(
            fired
            for effect in written(wiring, trigger, logs)
            for fired in wiring.fired_by(effect)
            if fired.id != trigger.id and written(wiring, fired, logs)
        )
        for trigger in wiring.triggers
    }
    inner = {fired.id for fired_by in follows.values() for fired in fired_by}
    for trigger in wiring.triggers:
        if trigger.id in inner or not follows[trigger.id]:
            continue
        chain = _longest(trigger.id, follows, ())
        path = " → ".join(str(id) for id in chain)
        yield BY_ID["TRG003"].finding(
            trigger.id,
            f"{trigger.id} begins a chain of {len(chain)} writing triggers: {path}.",
            evidence=path,
        )


def _longest(
    at: ObjectId, follows: Mapping[ObjectId, tuple[Trigger, ...]], passed: tuple[ObjectId, ...]
) -> tuple[ObjectId, ...]:
    passed = (*passed, at)
    if len(passed) > 12:
        return passed
    tails = [_longest(fired.id, follows, passed) for fired in follows[at] if fired.id not in passed]
    return max(tails, key=len, default=passed)


def circular(wiring: Wiring) -> Iterator[Finding]:
    """Circles of triggers, each told at the first of them by name."""
    told: set[frozenset[ObjectId]] = set()
    for trigger in wiring.triggers:
        for circle in _circles(wiring, trigger, (trigger,)):
            ids = frozenset(one.id for one in circle)
            if ids in told or any(_ends(wiring, one) for one in circle):
                continue
            told.add(ids)
            path = " → ".join(str(one.id) for one in (*circle, trigger))
            yield BY_ID["TRG004"].finding(
                trigger.id,
                f"What {trigger.id} writes fires it again, without an end in sight.",
                evidence=path,
            )


def _circles(wiring: Wiring, first: Trigger, passed: tuple[Trigger, ...]) -> Iterator[tuple[Trigger, ...]]:
    if len(passed) > 6:
        return
    fired = {
        one.id: one
        for effect in wiring.effects(passed[-1].function)
        if effect.use.writes and not _conditional(effect)
        for one in wiring.fired_by(effect)
    }
    for one in fired.values():
        if one.id == first.id:
            yield passed
        elif one.id > first.id and one not in passed:
            yield from _circles(wiring, first, (*passed, one))


def _ends(wiring: Wiring, trigger: Trigger) -> bool:
    """Whether it looks at the depth, or only fires when something differs."""
    when = trigger.when.lower()
    deep = any(routine.text.depth_guarded for routine in wiring.bodies(trigger.function))
    return deep or "pg_trigger_depth" in when or ("old" in when and "new" in when)


def _conditional(effect: Effect) -> bool:
    """Whether the write happens only when something differs: by an IF around it that compares OLD with NEW, or in its own condition."""
    around = [frame.words for frame in effect.use.step.within if frame.kind == "if"]
    words = effect.use.step.words
    return any({"old", "new"} <= {token.word for token in tokens} for tokens in around) or (
        "where" in words and "distinct" in words[words.index("where") :]
    )
