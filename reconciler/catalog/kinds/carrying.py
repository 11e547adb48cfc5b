"""A table that is partitioned differently: its rows step aside, and are written into the table as it will be.

PostgreSQL cannot partition a table that exists, nor change the key of one (manual: CREATE TABLE, PARTITION BY). An ordinary
table moves as it is into a schema of its own, with its indexes and names; of a partitioned one the rows of all partitions
are copied there. Promises that both statements do nothing when the table is as it will be already, that no row is
left out without an error, and that neither row level security nor numbering changes what is carried,
that no number is given twice, and that a table it leaves empty is named in a hazard. Never decides
whether it is needed, and never orders anything.
"""

from __future__ import annotations

import hashlib

from reconciler.catalog.kinds import identity
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import lossy, using
from reconciler.catalog.kinds.kind import Carry, Context
from reconciler.catalog.kinds.partition import tree
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import ident, literal


def carry(old: Fact, new: Fact, context: Context) -> Carry:
    """How the rows of `old` get into `new`."""
    aside = "moving_" + hashlib.sha256(f"{new.id.schema}.{new.id.name}".encode()).hexdigest()[:16]
    return Carry(_stepped_aside(old, new, context, aside), _written(old, new, context, aside))


def _stepped_aside(old: Fact, new: Fact, context: Context, aside: str) -> Statement:
    table = w.name(new.id)
    there = f"pg_catalog.to_regclass({literal(table)})"
    key = f"pg_catalog.pg_get_partkeydef({there})"
    wanted = literal(new["partition_by"]) if new["partition_by"] else "null"
    # Before a row is read: what is written between the copy and the first exclusive lock would be lost.
    moves = [f"lock table {table} in access exclusive mode", f"create schema {ident(aside)}"]
    moves += [_number_kept(column, aside) for column in _numbered(old, new, context)]
    above = context.before.facts.get(ObjectId("partition", old.id.schema, old.id.name))
    if above is not None:
        moves.append(f"alter table {above['of']} detach partition {table}")
    if old["rls"] or old["force_rls"]:
        moves.append(f"alter table {table} no force row level security")
        moves.append(f"alter table {table} disable row level security")
    kept = _kept_partitions(old.id, context)
    if old["partition_by"]:
        moves += [
            f"create table {ident(aside, new.id.name)} as table {table}",
            # Not what goes anyway: a foreign table among it would lose its rows on the other server.
            *([f"truncate {', '.join(w.name(part) for part, _ in kept)}"] if kept else []),
            *(f"alter table {parent} detach partition {w.name(part)}" for part, parent in kept),
            f"drop table {table}",
        ]  # fmt: skip
    else:
        moves.append(f"alter table {table} set schema {ident(aside)}")
    sql = w.guarded_in_full(f"{there} is not null and {key} is distinct from {wanted}", *moves)
    inside = tree(context.after, new.id)
    emptied = [
        Hazard(HazardCode.DELETES_DATA, f"The rows of {part} go to {new.id}: {part} is left empty.")
        for part, _ in kept
        if part not in inside
    ]
    return w.say(sql, f"{new.id}: its rows step aside, it is partitioned differently", new.id, *emptied)


def _kept_partitions(table: ObjectId, context: Context) -> list[tuple[ObjectId, str]]:
    """(partition, its parent), innermost first: those that exist afterwards too, and so must not go with the table."""
    found: list[tuple[ObjectId, str]] = []
    for user in sorted(context.before.dependents.get(table, ())):
        if user.kind != "partition":
            continue
        part = ObjectId("table", user.schema, user.name)
        found += _kept_partitions(part, context)
        if part in context.after.facts:
            found.append((part, context.before.facts[user]["of"]))
    return found


def _written(old: Fact, new: Fact, context: Context, aside: str) -> Statement:
    table, source = w.name(new.id), ident(aside, new.id.name)
    columns = {c.id.part: c for c in context.before.children.get(old.id, ()) if c.id.kind == "column"}
    names, values, steps = [], [], []
    numbered = {column.id for column in _numbered(old, new, context)}
    hazards = [
        Hazard(HazardCode.REWRITES_TABLE, f"Copies all rows of {new.id} under an exclusive lock."),
    ]
    if new["partition_by"]:
        hazards.append(
            Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a row of {new.id} fits no partition.")
        )
    hazards += _published(old, context)
    for c in sorted(context.after.children.get(new.id, ()), key=lambda part: part.position):
        if c.id.kind != "column" or c["generated"]:
            continue
        was, column = columns.get(c.id.part), ident(c.id.part)
        if was is not None and was["type"] != c["type"]:
            values.append(using(column, was["type"], c["type"])[0])
            if lossy(was["type"], c["type"]):
                hazards.append(
                    Hazard(
                        HazardCode.LOSSY_CAST,
                        f"{c.id}: {was['type']} → {c['type']} can fail or lose part of a value.",
                    )
                )
        elif was is not None:
            values.append(column)
        elif c.id in context.fills:
            values.append(context.fills[c.id])
        else:
            continue
        names.append(column)
        if c["identity"]:
            steps += _goes_on(c, aside, kept=c.id in numbered)
    for name, was in sorted(columns.items()):
        if (
            not was["generated"]
            and ObjectId("column", new.id.schema, new.id.name, name) not in context.after.facts
        ):
            hazards.append(Hazard(HazardCode.DELETES_DATA, f"The values of column {was.id} are deleted."))
    forced = [f"alter table {table} no force row level security"] if new["force_rls"] else []
    again = [f"alter table {table} force row level security"] if new["force_rls"] else []
    sql = w.guarded(
        f"pg_catalog.to_regclass({literal(source)}) is not null",
        *forced,
        f"insert into {table} ({', '.join(names)}) overriding system value select {', '.join(values)} from {source}",
        *again,
        *steps,
        f"drop table {source}",
        f"drop schema {ident(aside)}",
    )
    return w.say(sql, f"{new.id}: the rows it had", new.id, *hazards)


def _published(table: Fact, context: Context) -> list[Hazard]:
    """A publication of single tables lets go of this one meanwhile; the others publish all that is written here."""
    schemas = {
        f.id.name
        for f in context.before.by_kind.get("publication_schema", ())
        if f.id.part == table.id.schema
    }
    return [
        Hazard(
            HazardCode.IRREVERSIBLE,
            f"Publication {p.id} sends the copied rows to subscribers, which have them already: stop these first, and copy"
            f" {table.id} anew there.",
        )
        for p in context.before.by_kind.get("publication", ())
        if p["all_tables"] or p.id.name in schemas
    ]


def _numbered(old: Fact, new: Fact, context: Context) -> list[Fact]:
    """The columns that are numbered by an identity before and after."""
    before = {c.id.part: c for c in context.before.children.get(old.id, ()) if c.id.kind == "column"}
    return [
        c for c in sorted(context.after.children.get(new.id, ()), key=lambda part: part.position)
        if c.id.kind == "column" and c["identity"] and c.id.part in before and before[c.id.part]["identity"]
    ]  # fmt: skip


def _numbers(column: Fact, aside: str) -> str:
    return ident(aside, f"numbers of {column.position}")


def _number_kept(column: Fact, aside: str) -> str:
    """Notes how far the numbering went: further than the rows tell, when the last ones were deleted."""
    made = f"create table {_numbers(column, aside)} as select last_value, is_called from "
    return f"execute {literal(made)} || {identity.found(column)}"


def _goes_on(column: Fact, aside: str, *, kept: bool) -> list[str]:
    """An identity column numbers on from where it was; a column that was none, from after its last value."""
    if not kept:
        return [identity.after_the_last(column)]
    numbers = _numbers(column, aside)
    return [
        f"perform pg_catalog.setval({identity.found(column)}, n.last_value, n.is_called) from {numbers} as n",
        f"drop table {numbers}",
    ]
