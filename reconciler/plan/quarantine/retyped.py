"""Which columns of large tables get their new type beside their rows: narrower ones and their way back, and those of an enum that loses
a value. Pure functions over statements; what else changes its type keeps the plain form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler.catalog.kinds.casting import never_fails, printed, rounds, stays_as_it_is, using
from reconciler.catalog.kinds.retyping import TYPES
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import ident, literal
from reconciler.plan.quarantine import swap
from reconciler.plan.quarantine.direct import block
from reconciler.plan.quarantine.values import RETYPES
from reconciler.plan.quarantine.way import Way

_SLOW = frozenset({HazardCode.REWRITES_TABLE, HazardCode.BLOCKS_WRITES, HazardCode.SCANS_UNDER_LOCK})


def beside(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements, with those that would write a large table anew under a lock prepared before."""
    found = list(statements)
    first = [_left_over(column, way) for column in _columns_of(_backwards(way))]
    first += [_left_over_type(enum, way) for enum, _ in _enums(_backwards(way))]
    for one in _narrowed(way):
        at = [n for n, s in enumerate(found) if s.subject == one.old.id and RETYPES.search(s.sql)]
        if len(at) != 1:
            continue
        first += _steps(one)
        plain = found[at[0]]
        found[at[0]] = _instead(plain, swap.instead(one, plain, _default(one.new, way)))
        found[at[0] + 1 : at[0] + 1] = swap.dressed(one, way.context)
    for enum, ones in _enums(way):
        at = [n for n, s in enumerate(found) if s.subject == enum and s.sql.startswith("do ")]
        if len(at) != 1:
            continue
        second = _second(enum, way)
        first.append(_type(enum, second, way))
        first += [step for one in ones for step in _steps(one)]
        plain = found[at[0]]
        others = [
            _moved(c, enum, second, way)
            for c in _users(enum, way)
            if c.id not in {one.old.id for one in ones}
        ]
        found[at[0]] = _instead(plain, swap.instead_of_enum(ones, others, plain, enum, second))
        found[at[0] + 1 : at[0] + 1] = [s for one in ones for s in swap.dressed(one, way.context)]
    return way.ahead(found, first)


def _backwards(way: Way) -> Way:
    return replace(
        way, before=way.after, after=way.before, forward=not way.forward, fills=way.undo, undo=way.fills
    )  # fmt: skip


def _columns_of(way: Way) -> Iterator[ObjectId]:
    yield from (one.old.id for one in _narrowed(way))
    yield from (one.old.id for _, ones in _enums(way) for one in ones)


def _narrowed(way: Way) -> Iterator[swap.Swap]:
    for column in sorted(way.before.by_kind.get("column", ()), key=lambda fact: fact.id):
        other = way.after.facts.get(column.id)
        if other is None or column["type"] == other["type"] or column["generated"] or other["generated"]:
            continue
        old, new = column["type"], other["type"]
        if (
            not (rounds(old, new) or rounds(new, old))
            or not never_fails(old, new)
            or stays_as_it_is(old, new)
        ):
            continue
        value, _ = using(f"@row@.{ident(column.id.part)}", old, new)
        found = swap.swap_of(column, other, value, new, way)
        if found is not None:
            yield found


def _enums(way: Way) -> Iterator[tuple[ObjectId, list[swap.Swap]]]:
    """Enums that lose values which have successors, with the columns that are changed beside their rows."""
    for enum in sorted(fact.id for fact in way.before.by_kind.get("enum", ())):
        if enum not in way.after.facts:
            continue
        gone = [v for v in way.before.facts[enum]["values"] if v not in way.after.facts[enum]["values"]]
        if not gone or any(_successor(enum, value, way) is None for value in gone):
            continue
        users = {user for side in (way.before, way.after) for user in side.dependents.get(enum, ())}
        if any(user.kind in TYPES for user in users):
            continue
        found = []
        for column in _users(enum, way):
            value = _carried(column, enum, gone, way, f"@row@.{ident(column.id.part)}")
            second = _second(enum, way)
            due = f"pg_catalog.to_regtype({literal(ident(enum.schema, second))}) is not null"
            one = swap.swap_of(column, way.after.facts[column.id], value, _as(column, enum, second), way, due)
            if one is not None:
                found.append(one)
        if found:
            yield enum, found


def _users(enum: ObjectId, way: Way) -> list[Fact]:
    """The columns of this enum, or of arrays of it, that keep it; those of partitions follow."""
    return [
        way.before.facts[user]
        for user in sorted(way.before.dependents.get(enum, ()))
        if user.kind == "column" and enum in way.after.edges.get(user, ())
        and not way.before.facts[user]["inherited"] and not way.before.facts[user]["generated"]
    ]  # fmt: skip


def _successor(enum: ObjectId, value: str, way: Way) -> str | None:
    return way.fills.get(ObjectId("enum_value", enum.schema, enum.name, value))


def _as(column: Fact, enum: ObjectId, second: str) -> str:
    return ident(enum.schema, second) + ("[]" if column["type"].endswith("[]") else "")


def _carried(column: Fact, enum: ObjectId, gone: list[str], way: Way, of: str) -> str:
    """The text, or the texts, of the value afterwards: what the enum's own output says, since a cast to text may be somebody's."""
    pairs = [(literal(value), literal(_successor(enum, value, way) or "")) for value in gone]
    text = printed(of)
    if column["type"].endswith("[]"):
        text = f"({text})::text[]"
        for one, other in pairs:
            text = f"pg_catalog.array_replace({text}, {one}, {other})"
        return text
    return f"(case {text} {' '.join(f'when {a} then {b}' for a, b in pairs)} else {text} end)"


def _moved(column: Fact, enum: ObjectId, second: str, way: Way) -> str:
    gone = [v for v in way.before.facts[enum]["values"] if v not in way.after.facts[enum]["values"]]
    name = ident(column.id.part)
    foreign = column.parent is not None and column.parent.kind == "foreign_table"
    how = "" if foreign else f" using {_carried(column, enum, gone, way, name)}::{_as(column, enum, second)}"
    table = f"{'foreign ' if foreign else ''}table {ident(column.id.schema, column.id.name)}"
    return f"alter {table} alter column {name} type {_as(column, enum, second)}{how}"


def _second(enum: ObjectId, way: Way) -> str:
    return f"reconciler_{way.tag(ObjectId('swap', enum.schema, enum.name, 'up' if way.forward else 'down'))}"


def _type(enum: ObjectId, second: str, way: Way) -> Statement:
    values = way.after.facts[enum]["values"]
    listed = ", ".join(literal(value) for value in values)
    had = ", ".join(literal(value) for value in way.before.facts[enum]["values"])
    there = (
        "(select pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder) from pg_catalog.pg_enum as e where e.enumtypid ="
        f" pg_catalog.to_regtype({literal(ident(enum.schema, enum.name))})) = array[{had}]::text[]"
    )
    name = ident(enum.schema, second)
    lines = [
        f"if {there} and pg_catalog.to_regtype({literal(name)}) is null then",
        f"  create type {name} as enum ({listed});",
        "end if;",
    ]
    return Statement(block([], lines), f"{enum}: the new type, beside the old one")


def _steps(one: swap.Swap) -> list[Statement]:
    found = []
    for sql, alone, reason in swap.steps(one):
        goes_on = Hazard(
            HazardCode.NOT_TRANSACTIONAL,
            f"{one.old.id} is filled batch by batch: an interrupted run goes on.",
        )
        found.append(
            Statement(
                sql, reason, transactional=not alone, hazards=(goes_on,) if alone else (),
                statement_timeout="0" if alone else "",
            )
        )  # fmt: skip
    return found


def _instead(plain: Statement, sql: str) -> Statement:
    hazards = tuple(h for h in plain.hazards if h.code not in _SLOW)
    return replace(plain, sql=sql, source="catalog", hazards=hazards)


def _left_over(column: ObjectId, way: Way) -> Statement:
    return Statement(swap.undone(column, way), f"{column}: what an interrupted run may have begun")


def _left_over_type(enum: ObjectId, way: Way) -> Statement:
    name = ident(enum.schema, _second(enum, _backwards(way)))
    return Statement(f"drop type if exists {name}", f"{enum}: what an interrupted run may have begun")


def _default(column: Fact, way: Way) -> str | None:
    for part in way.after.children.get(column.id, ()):
        if part.id.kind == "default":
            return str(part["expression"])
    return None
