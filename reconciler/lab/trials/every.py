"""All trials of one trigger, in their order."""

from __future__ import annotations

from collections.abc import Iterator

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


def every(bench: Bench, trigger: Trigger) -> Iterator[Tried]:
    """One after another; a trial that does not apply says nothing."""
    for firing in firings(bench, trigger):
        if isinstance(firing, Tried):
            yield firing
            continue
        for kind in KINDS:
            yield from kind(bench, firing)
