"""Rules about tables below others: neither row-level security nor policies are inherited."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach
from reconciler.audit.rules.catalog import COMMANDS, Catalog, Relation
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding


def _open(
    catalog: Catalog, *, partition: bool
) -> Iterator[tuple[Relation, Relation, dict[str, tuple[str, ...]]]]:
    """Tables without row-level security below one that has it, and who may use them by their own names."""
    for table in catalog.tables():
        if table.rls or table.partition != partition:
            continue
        above = next((parent for parent in catalog.ancestors(table) if parent.rls), None)
        held = reach.holders(catalog, table, *COMMANDS)
        if above is not None and held:
            yield table, above, held


def _partitions(subject: Subject) -> Iterator[Finding]:
    for table, above, held in _open(subject.catalog, partition=True):
        yield PARTITION.finding(
            table.id,
            f"{table.id} is a partition of {above.id}, whose policies are not asked when it is used by its own name:"
            f" {reach.words(held)}.",
            remedy=f"revoke all on {names.on(table)} from {names.roles(tuple(held))};",
        )


PARTITION = Rule(
    id="RLS007",
    title="A partition is open beside its protected table",
    severity="warning",
    condition="A partition has no row-level security of its own, the table it belongs to has, and a role holds privileges on the"
    " partition itself.",
    consequence="PostgreSQL asks the policies of the table that a statement names. Who names the partition reads and writes"
    " all of its rows.",
    remedy="Revoke the privileges on the partition: who goes through the table needs none. Or give it row-level security, too.",
    references=("pgrls SEC041",),
    check=_partitions,
)


def _heirs(subject: Subject) -> Iterator[Finding]:
    for table, above, held in _open(subject.catalog, partition=False):
        yield HEIR.finding(
            table.id,
            f"{table.id} inherits from {above.id}, whose policies are not asked when it is used by its own name:"
            f" {reach.words(held)}.",
            remedy=f"revoke all on {names.on(table)} from {names.roles(tuple(held))};",
        )


HEIR = Rule(
    id="RLS008",
    title="A table that inherits is open beside its protected parent",
    severity="warning",
    condition="A table without row-level security inherits from one that has it, and a role holds privileges on it.",
    consequence="Who names the child reads and writes all of its rows; only who goes through the parent meets its policies.",
    remedy="Revoke the privileges on the child, or enable row-level security there with policies of its own.",
    references=("pgrls SEC043",),
    check=_heirs,
)

RULES = (PARTITION, HEIR)
