"""Enumerated types (manual: CREATE TYPE … AS ENUM, ALTER TYPE … ADD VALUE).

PostgreSQL can add a value but not remove or reorder one: then the type is made anew and its columns are carried over by
text, which fails, and changes nothing, when a row holds a value that is gone.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_type",
        "t.oid",
        schema="n.nspname",
        name="t.typname",
        attributes=r.attributes(
            owner=r.owner("t.typowner"),
            acl=r.acl("t.typacl", "T", "t.typowner"),
            comment=r.comment("pg_type", "t.oid"),
            labels=r.labels("pg_type", "t.oid"),
            values="(select coalesce(pg_catalog.jsonb_agg(e.enumlabel order by e.enumsortorder), '[]')"
            " from pg_catalog.pg_enum as e where e.enumtypid = t.oid)",
        ),
        source="pg_catalog.pg_type as t join pg_catalog.pg_namespace as n on n.oid = t.typnamespace"
        f" where t.typtype = 'e' and {r.in_scope(scope)} and {r.no_member('pg_type', 't.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"type {w.name(fact.id)}"


def _made(id: ObjectId, values: list[str]) -> str:
    return f"create type {w.name(id)} as enum ({', '.join(literal(value) for value in values)})"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(w.missing("to_regtype", w.name(fact.id)), _made(fact.id, fact["values"]))
    return [w.say(sql, f"new enum {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact), "type")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [w.say(f"drop type if exists {w.name(fact.id)}", f"enum {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    common = tuple(w.redressed(old, new, context, _noun(new), "type"))
    if old["values"] == new["values"]:
        return Alteration(common)
    if _is_subsequence(old["values"], new["values"]):
        return Alteration((*_added(old["values"], new), *common))
    columns = _columns(old, context)
    through = frozenset(column.id for column in columns)
    return Alteration(
        (_rebuilt(old, new, columns), *w.dressed(new, context, _noun(new), "type")),
        displaces=lambda fact: fact.id not in through,
        through=through,
    )


def _is_subsequence(short: list[str], long: list[str]) -> bool:
    rest = iter(long)
    return all(value in rest for value in short)


def _added(old: list[str], new: Fact) -> list[Statement]:
    """Each new value beside the neighbour it follows. The first one has nothing before it."""
    found: list[Statement] = []
    values: list[str] = new["values"]
    for index, value in enumerate(values):
        if value in old:
            continue
        place = f"after {literal(values[index - 1])}" if index else ""
        if not index and old:
            place = f"before {literal(next(v for v in values if v in old))}"
        sql = f"alter type {w.name(new.id)} add value if not exists {literal(value)} {place}".rstrip()
        found.append(w.say(sql, f"{new.id}: new value {value!r}", new.id))
    return found


def _columns(old: Fact, context: Context) -> list[Fact]:
    """The plain columns of this type, or of arrays of it, on both sides."""
    found = []
    for user in sorted(context.before.dependents.get(old.id, ())):
        if user.kind == "column" and user in context.after.facts:
            column = context.before.facts[user]
            if column["inherited"]:
                continue
            if column["type"] != context.after.facts[user]["type"]:
                raise Unplannable(
                    f"{user} changes its type while the values of enum {old.id} change: do one first"
                )
            found.append(column)
        elif (
            user.kind in ("domain", "composite", "range", "table", "partition")
            and user in context.after.facts
        ):
            raise Unplannable(f"a value leaves enum {old.id}, which {user.kind} {user} is made of")
    return found


def _rebuilt(old: Fact, new: Fact, columns: list[Fact]) -> Statement:
    name = w.name(new.id)
    aside = ident(new.id.schema, f"{new.id.name[:50]}__replaced")
    moves = [
        f"alter table {w.name(c.id)} alter column {ident(c.id.part)} type {c['type']} using {ident(c.id.part)}::text"
        f"{'[]' if c['type'].endswith('[]') else ''}::{c['type']}"
        for c in columns
    ]
    have = (
        "(select pg_catalog.array_agg(enumlabel::text order by enumsortorder) from pg_catalog.pg_enum"
        f" where enumtypid = {literal(name)}::pg_catalog.regtype)"
    )
    want = f"array[{', '.join(literal(value) for value in new['values'])}]::text[]"
    sql = w.guarded(
        f"{have} is distinct from {want}",
        f"alter type {name} rename to {ident(new.id.name[:50] + '__replaced')}",
        _made(new.id, new["values"]),
        *moves,
        f"drop type {aside}",
    )
    gone = [value for value in old["values"] if value not in new["values"]]
    hazards = []
    if gone:
        words = ", ".join(repr(value) for value in gone)
        hazards.append(Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a row holds {words} in {new.id}."))
    if columns:
        tables = ", ".join(sorted({w.name(c.id) for c in columns}))
        hazards.append(Hazard(HazardCode.REWRITES_TABLE, f"Rewrites {tables} under an exclusive lock."))
    return w.say(sql, f"{new.id}: values {', '.join(new['values'])}", new.id, *hazards)


KIND = Kind("enum", read, create, drop, alter, replaceable=False, drop_late=True)
