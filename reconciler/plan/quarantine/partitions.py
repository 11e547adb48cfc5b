"""A large partition leaves a table that stays, and comes back to it, without being read under a lock.

ATTACH reads all rows, to see that they belong there and that foreign keys of the whole hold, unless valid constraints of the partition say
so already (manual: ALTER TABLE, ATTACH PARTITION). So its bound stays on it as a check, and before it comes back that check and the keys
are validated where it is kept: in transactions of their own, under locks that disturb nobody.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.catalog.kinds import constraint
from reconciler.catalog.kinds import writing as w
from reconciler.model import ObjectId, Statement
from reconciler.pg import literal
from reconciler.plan.quarantine import along
from reconciler.plan.quarantine.registry import if_kept
from reconciler.plan.quarantine.way import Way

BOUND = "reconciler_bound"


def let_go(table: ObjectId, parent: ObjectId) -> str:
    """The SQL that detaches a partition and leaves a check of its bound on it."""
    given = (table.schema, table.name, parent.schema, parent.name)
    return f"select reconciler_quarantine.let_go({', '.join(literal(text) for text in given)})"


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: large partitions of tables that were there are made ready where they are kept, then attached."""
    coming = [
        (id, parent)
        for id in sorted(way.after.facts)
        if id.kind == "table" and way.new(id) and way.is_large(id) and way.after.facts[id]["partition"]
        and along.uprooted(id, way.after, way.before) is None
        for parent in along.parents(id, way.after)
        if parent in way.before.facts
    ]  # fmt: skip
    if not coming or not statements:
        return statements
    keys = [_keys(table, parent, way) for table, parent in coming]
    checks = [_check(table, way) for table, _ in coming]
    first = [*keys, replace(checks[0], apart=True), *checks[1:], replace(statements[0], apart=True)]
    attached = {ObjectId("partition", table.schema, table.name): table for table, _ in coming}
    found: list[Statement] = first
    for statement in statements[1:]:
        found.append(statement)
        if statement.subject in attached and " attach partition " in statement.sql:
            table = attached.pop(statement.subject)
            sql = f"alter table {w.name(table)} drop constraint if exists {BOUND}"
            found.append(Statement(sql, f"table {table}: its bound says that now", subject=table))
    return tuple(found)


def _keys(table: ObjectId, parent: ObjectId, way: Way) -> Statement:
    keys = [
        part for part in way.after.children.get(parent, ())
        if part.id.kind == "constraint" and part["type"] == "f"
        and not any(words in part["definition"] for words in ("NOT VALID", "NOT ENFORCED"))
    ]  # fmt: skip
    if way.context.major < 18 and way.after.facts[table]["partition_by"]:
        keys = []  # there PostgreSQL has no unchecked foreign keys on partitioned tables
    definitions = [constraint.definition(key) for key in keys]
    texts = ", ".join(literal(text) for text in definitions)
    given = ", ".join(literal(text) for text in (table.schema, table.name, way.tag(table)))
    call = f"perform reconciler_quarantine.give_keys({given}, array[{texts}]::text[])"
    reason = f"table {table}: the foreign keys of {parent}, where it is kept"
    return Statement(if_kept("give_keys", call), reason, subject=table)


def _check(table: ObjectId, way: Way) -> Statement:
    given = ", ".join(literal(text) for text in (table.schema, table.name, way.tag(table)))
    call = f"perform reconciler_quarantine.check_kept({given})"
    return Statement(
        if_kept("check_kept", call), f"table {table}: its rows belong where they were", subject=table
    )
