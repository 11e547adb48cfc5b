"""Sequences: numbers are nobody's, but who may set one back makes the inserts of every tenant fail."""

from __future__ import annotations

from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.audit.surface import Sequence
from reconciler.pg import literal

_FORWARD = 1000


def attacks(sequence: Sequence) -> Attacks:
    name = f"{literal(sequence.sql)}::pg_catalog.regclass"
    drawn = yield Attack(
        sequence.id, "USAGE", "draws a number", f"select pg_catalog.nextval({name})", "ATK020"
    )
    if drawn.trouble is not None:
        yield Attack(sequence.id, "USAGE", "looks at it", f"select last_value from {sequence.sql}", "ATK020")
    # forward, not back: setval() outlives the rollback, and what is attacked after this needs its numbers
    yield Attack(
        sequence.id,
        "USAGE",
        "sets it",
        f"select pg_catalog.setval({name}, {sequence.stands + _FORWARD})",
        "ATK024",
    )
