"""What the live database says to a plan before anything of it runs: its rows, its disk, and the sessions in the way.

A rehearsal has made-up rows on an empty server. Here the real ones are asked, read-only and under a time limit. Promises that a refusal
says how many rows, which ones by their primary key, which object wants otherwise, where it is declared and what to do; and that what could
not be found out is told as not decided. Changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from reconciler.catalog import quarantine
from reconciler.engine.asking import Found, Undecided, ask
from reconciler.engine.bystanders import remarks, wait_for_room
from reconciler.engine.room import refuse_full, room
from reconciler.errors import Source, Stalled
from reconciler.model import HazardCode, LockTaken, Measured, ObjectId
from reconciler.pg import Url, connect, ident
from reconciler.plan.doubts import Doubt, Doubted, raised
from reconciler.plan.quarantine.registry import awake, gives_back
from reconciler.run import Pace

TOGETHER = 10
"""All questions of a plan together get this many times the limit of one."""
_UNLESS = ", unless the migration puts that right itself"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the rows said. `asked` counts the questions, `seconds` is how long all took."""

    asked: int = 0
    found: tuple[Found, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    seconds: float = 0.0
    places: Mapping[ObjectId, Source] = field(default_factory=dict)

    def refused(self, allowed: Collection[str] = ()) -> tuple[Found, ...]:
        """What forbids the plan. Values that would be changed do not when LOSSY_CAST is allowed."""
        may = HazardCode.LOSSY_CAST in allowed or "all" in allowed
        return tuple(one for one in self.found if one.doubt.sure and not (one.loses and may))

    def told(self, allowed: Collection[str] = ()) -> tuple[str, ...]:
        """What does not forbid it, and a person should know."""
        refused = self.refused(allowed)
        rest = [one for one in self.found if one not in refused]
        return (
            *(one.sentence + ("" if one.doubt.sure or one.loses else _UNLESS) for one in rest),
            *(one.sentence for one in self.undecided),
        )


def preflight(
    url: Url,
    plan: Doubted,
    places: Mapping[ObjectId, Source],
    measured: Collection[Measured],
    *,
    allowed: Collection[str],
    limit: float,
    lock_limit: str,
    on_note: Callable[[str], None],
    pace: Pace,
) -> None:
    """Everything that is asked before a run. Raises Stalled for rows that forbid it and for a disk that is too small, Waiting for
    old transactions that hold what it needs; tells the rest."""
    answers = ask_rows(url, plan, places, limit=limit, lock_limit=lock_limit)
    refuse_rows(answers, allowed)
    rewritten = {name for one in measured for name in one.rewrites}
    found = room(url, plan, rewritten)
    refuse_full(found)
    rewrites = bool(rewritten) or any(need.bytes for need in found.needs)
    for note in (*answers.told(allowed), *found.told(), *remarks(url, plan.statements, rewrites=rewrites)):
        on_note(note)
    wait_for_room(url, _named(plan, measured), pace=pace, on_wait=on_note)


def _named(plan: Doubted, measured: Collection[Measured]) -> list[LockTaken]:
    """The locks of the rehearsal on what exists now, by names that PostgreSQL reads."""
    called = {
        f"{id.schema}.{id.name}": ident(id.schema, id.name)
        for id in plan.before.facts
        if not id.part and id.schema
    }
    called |= {
        f"{new.schema}.{new.name}": ident(old.schema, old.name)
        for old, new in plan.moved.items()
        if not old.part and old.schema
    }
    return [
        LockTaken(called.get(lock.relation, lock.relation), lock.mode)
        for one in measured
        for lock in one.locks
        if lock.relation in called or lock.relation in called.values()
    ]


def ask_rows(
    url: Url,
    plan: Doubted,
    places: Mapping[ObjectId, Source],
    *,
    limit: float,
    lock_limit: str = "2s",
    chosen: Callable[[Doubt], bool] = lambda doubt: True,
) -> Answers:
    """Asks every question the plan raises (of those that are `chosen`). `limit` is in seconds, for each. Raises Waiting when the
    database is not there."""
    plan = _awake(url, plan)
    questions = [q for q in raised(plan) if not isinstance(q, Doubt) or chosen(q)]
    if not questions:
        return Answers()
    began = time.monotonic()
    end = began + limit * TOGETHER
    answers = []
    with connect(url, application_name="reconciler preflight") as live:
        for question in questions:
            left = min(limit, end - time.monotonic())
            answers.append(ask(live, question, limit=left, lock_limit=lock_limit))
    return Answers(
        len(questions),
        tuple(one for one in answers if isinstance(one, Found)),
        tuple(one for one in answers if isinstance(one, Undecided)),
        time.monotonic() - began,
        places,
    )


def _awake(url: Url, plan: Doubted) -> Doubted:
    """The plan without statements that give back what is not kept on this database: they write nothing."""
    if not any(gives_back(statement) for statement in plan.statements):
        return plan
    with connect(url, application_name="reconciler preflight") as live:
        return replace(plan, statements=awake(plan.statements, quarantine.tags(live)))


def refuse_rows(answers: Answers, allowed: Collection[str] = ()) -> None:
    """Raises Stalled for what the rows forbid."""
    refused = answers.refused(allowed)
    if not refused:
        return
    placed = [(one, place_of(one.doubt, answers.places)) for one in refused]
    hints = {one.doubt.hint for one in refused}
    if len(hints) == 1:
        sources = tuple(dict.fromkeys(place for _, place in placed if place))
        raise Stalled("; ".join(one.sentence for one in refused), hint=hints.pop(), sources=sources)
    lines = "".join(
        f"\n  {f'{place}: ' if place else ''}{one.sentence}\n    → {one.doubt.hint}" for one, place in placed
    )
    raise Stalled(
        f"the rows of the database forbid this in {len(refused)} ways:{lines}",
        hint="nothing was changed; put these right and run the same command again",
    )


def place_of(doubt: Doubt, places: Mapping[ObjectId, Source]) -> Source | None:
    """Where the object that asks for other rows is declared, or what it is a part of."""
    id = doubt.subject
    wholes = [ObjectId(kind, id.schema, id.name) for kind in ("table", "domain")] if id.part else []
    return next((places[one] for one in (id, *wholes, doubt.table) if one in places), None)
