"""Sequences: numbers are nobody's, but who may set one back makes the inserts of every tenant fail."""

from __future__ import annotations

from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.audit.surface import Sequence
from reconciler.pg import literal


def attacks(sequence: Sequence) -> Attacks:
    name = f"{literal(sequence.sql)}::pg_catalog.regclass"
    drawn = yield Attack(
        sequence.id, "USAGE", "draws a number", f"select pg_catalog.nextval({name})", "ATK020"
    )
    if drawn.trouble is not None:
        yield Attack(sequence.id, "USAGE", "looks at it", f"select last_value from {sequence.sql}", "ATK020")
    yield Attack(
        sequence.id,
        "USAGE",
        "sets it back",
        f"select pg_catalog.setval({name}, s.min_value, false) from pg_catalog.pg_sequences as s"
        f" where s.schemaname = {literal(sequence.id.schema)} and s.sequencename = {literal(sequence.id.name)}",
        "ATK024",
    )
