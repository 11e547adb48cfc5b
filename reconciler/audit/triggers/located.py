"""One row of a table in SQL: where it is, how it is taken away, what points to it. By its primary key, else by all its values."""

from __future__ import annotations

from reconciler.audit.triggers.stage import Stage
from reconciler.model import ObjectId
from reconciler.pg import ident, literal
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.values import Row


def where(stage: Stage, table: ObjectId, row: Row) -> str:
    """The row by its primary key, else by all its values."""
    relation = stage.relation(table)
    names = relation.primary or tuple(row.values)
    return " and ".join(_is(relation, name, row.values.get(name)) for name in names)


def _is(relation: Relation, name: str, value: str | None) -> str:
    column = relation.column(name)
    if value is None or column is None:
        return f"{ident(name)} is null"
    if column.type == "json":
        return f"{ident(name)}::text = {literal(value)}"
    return f"{ident(name)} = {literal(value)}::{column.type}"


def removal(stage: Stage, table: ObjectId, row: Row) -> str:
    if table.kind == "view":
        return "select"  # no row of a view can be taken away without its triggers
    return f"delete from {ident(table.schema, table.name)} where {where(stage, table, row)}"


def childless(stage: Stage, table: ObjectId, row: Row) -> tuple[str, ...]:
    """Takes away the rows that point to this one."""
    oid = stage.relation(table).oid
    found = []
    for relation in stage.catalogue.relations.values():
        for key in relation.keys:
            if key.target != oid or relation.partition:
                continue
            pairs = [
                _is(relation, own, row.values.get(theirs))
                for own, theirs in zip(key.columns, key.theirs, strict=True)
            ]
            found.append(f"delete from {relation.sql} where {' and '.join(pairs)}")
    return tuple(found)
