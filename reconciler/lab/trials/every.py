"""All trials of one trigger, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler.lab.trials import again, bulk, errors, locked, normal, people
from reconciler.lab.trials.bench import Bench, Tried
from reconciler.lab.trials.firing import firings
from reconciler.lab.triggers import Trigger

KINDS = (
    normal.at_each_level,
    people.as_each_identity,
    errors.its_writes_fail,
    errors.a_constraint_is_violated,
    again.retried,
    again.on_conflict,
    again.gone_meanwhile,
    locked.beside_a_lock,
    bulk.in_bulk,
)


def every(bench: Bench, trigger: Trigger, known: dict[str, Trigger]) -> Iterator[Tried]:
    """One after another; a trial that does not apply says nothing. A statement fires all triggers of its table: what was tried with it for
    another trigger (`known`, which this adds to) is not tried again."""
    for firing in firings(bench, trigger):
        if isinstance(firing, Tried):
            yield firing
            continue
        first = known.setdefault(f"{firing.identity.name}\0{firing.sql}", trigger)
        if first != trigger:
            says = f"the same statement fires {first.id}, and was tried for that"
            yield Tried(trigger, f"{firing.event}: normal", "passed", says, (firing.sql,))
            continue
        beside = [str(one.id) for one in bench.beside(firing) if one != trigger]
        for kind in KINDS:
            for tried in kind(bench, firing):
                also = f" (the statement also fires {', '.join(beside)})" if beside else ""
                yield replace(tried, says=tried.says + also) if tried.verdict == "failed" else tried
