"""Composite types (manual: CREATE TYPE … AS). The order of attributes is part of the type: rows are written by it."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import lossy, using
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.kinds.retyping import TYPES, holds_on, remade, within
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Json, ObjectId, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_type",
        "t.oid",
        schema="n.nspname",
        name="t.typname",
        attributes=r.attributes(
            **r.common("pg_type", "t", "typ", "T"),
            members="(select pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
            "'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'collation',"
            " (select case when a.attcollation <> b.typcollation then a.attcollation::pg_catalog.regcollation::text"
            f" end from pg_catalog.pg_type as b where b.oid = a.atttypid), 'comment', {r.comment('pg_class', 'c.oid', 'a.attnum')}"
            ")) order by a.attnum) from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attnum > 0"
            " and not a.attisdropped)",
        ),
        source="pg_catalog.pg_type as t join pg_catalog.pg_class as c on c.oid = t.typrelid and c.relkind = 'c' join"
        f" pg_catalog.pg_namespace as n on n.oid = t.typnamespace where {r.in_scope(scope)} and"
        f" {r.no_member('pg_type', 't.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"type {w.name(fact.id)}"


def _member(member: dict[str, Json]) -> str:
    collate = f" collate {member['collation']}" if member.get("collation") else ""
    return f"{ident(member['name'])} {member['type']}{collate}"


def _made(fact: Fact) -> str:
    return f"create {_noun(fact)} as ({', '.join(_member(member) for member in fact['members'] or ())})"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    members = fact["members"] or []
    sql = w.guarded(w.missing("to_regtype", w.name(fact.id)), _made(fact))
    found = [w.say(sql, f"new type {fact.id}", fact.id)]
    found += w.dressed(fact, context, _noun(fact), "type")
    return found + _commented([], members, fact)


def _commented(before: list[dict[str, Json]], after: list[dict[str, Json]], fact: Fact) -> list[Statement]:
    was = {member["name"]: member.get("comment") for member in before}
    return [
        w.commented(
            Fact(fact.id, {"comment": member.get("comment")}, ""),
            f"column {ident(fact.id.schema, fact.id.name, member['name'])}",
        )
        for member in after
        if was.get(member["name"]) != member.get("comment")
    ]


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [w.say(f"drop type if exists {w.name(fact.id)}", f"type {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    before = {m["name"]: m for m in old["members"] or ()}
    after = {m["name"]: m for m in new["members"] or ()}
    kept = [name for name in before if name in after]
    wanted = list(after)
    retyped = any(_member(before[name]) != _member(after[name]) for name in kept)
    inside = within(context.before, old.id)
    if wanted[: len(kept)] != kept or (retyped and _in_tables({old.id, *inside}, context)):
        return _remade(old, new, context)
    found = []
    gone = [Hazard(HazardCode.DELETES_DATA, f"Values of type {new.id} lose an attribute.")]
    for name in before:
        if name not in after:
            sql = f"alter {_noun(new)} drop attribute if exists {ident(name)} cascade"
            found.append(w.say(sql, f"{new.id}: attribute {name} is no longer declared", new.id, *gone))
    for name, member in after.items():
        if name not in before:
            condition = (
                "not exists (select from pg_catalog.pg_attribute where attrelid ="
                f" {literal(w.name(new.id))}::pg_catalog.regclass and attname = {literal(name)} and not attisdropped)"
            )
            sql = w.guarded(condition, f"alter {_noun(new)} add attribute {_member(member)} cascade")
            found.append(w.say(sql, f"{new.id}: new attribute {name}", new.id))
        elif _member(member) != _member(before[name]):
            collate = f" collate {member['collation']}" if member.get("collation") else ""
            sql = f"alter {_noun(new)} alter attribute {ident(name)} type {member['type']}{collate} cascade"
            # The second time there may be columns of it already, under which nothing changes.
            sql = w.guarded_in_full(_otherwise(new, member), sql)
            found.append(w.say(sql, f"{new.id}: attribute {name} is {member['type']}", new.id))
    found += _commented(list(before.values()), list(after.values()), new)
    found += w.redressed(old, new, context, _noun(new), "type")
    if not retyped and len(kept) == len(before):
        return Alteration(tuple(found))
    # Neither what shows values of it nor what names an attribute may be there when that changes or goes.
    return Alteration(tuple(found), displaces=_shows, through=inside | within(context.after, new.id))


def _in_tables(types: set[ObjectId], context: Context) -> bool:
    """PostgreSQL changes no attribute's type while a column holds values of it (manual: ALTER TYPE)."""
    return any(user.kind == "column" for id in types for user in context.before.dependents.get(id, ()))


def _shows(fact: Fact) -> bool:
    return fact.id.kind not in TYPES | {"column"} and holds_on(fact)


def _otherwise(fact: Fact, member: dict[str, Json]) -> str:
    """The condition that an attribute is not yet as it will be."""
    attribute = (
        f"(select %s from pg_catalog.pg_attribute where attrelid = {literal(w.name(fact.id))}::pg_catalog.regclass and"
        f" attname = {literal(member['name'])})"
    )
    found = f"{attribute % 'pg_catalog.format_type(atttypid, atttypmod)'} <> {literal(member['type'])}"
    usual = "(select typcollation from pg_catalog.pg_type where oid = atttypid)"
    wanted = f"{literal(member['collation'])}::pg_catalog.regcollation" if member.get("collation") else usual
    return f"{found} or {attribute % f'attcollation <> {wanted}'}"


def _remade(old: Fact, new: Fact, context: Context) -> Alteration:
    """Attributes in another order, or of another type: values are taken apart and put together again."""
    before = {m["name"]: m for m in old["members"] or ()}
    relation = (
        f"(select typrelid from pg_catalog.pg_type where oid = {literal(w.name(new.id))}::pg_catalog.regtype)"
    )
    have = (
        "(select pg_catalog.array_agg(attname || ' ' || pg_catalog.format_type(atttypid, atttypmod) order by attnum)"
        f" from pg_catalog.pg_attribute where attrelid = {relation} and not attisdropped)"
    )
    words = (literal(f"{m['name']} {m['type']}") for m in new["members"] or ())
    want = f"array[{', '.join(words)}]::text[]"

    def carried(column: Fact) -> str:
        type_, name = column["type"], ident(column.id.part)
        if type_.endswith("[]"):
            raise Unplannable(f"{column.id} is an array of type {new.id}, which would have to be made anew")
        values = (
            _carried(f"({name}).{ident(m['name'])}", before.get(m["name"]), m) for m in new["members"] or ()
        )
        # A row of nulls is not the same as no row.
        return f"case when {name} is distinct from null then row({', '.join(values)})::{type_} end"

    risks = [
        Hazard(HazardCode.DELETES_DATA, f"Values of type {new.id} lose attribute {name}.")
        for name in before
        if name not in {m["name"] for m in new["members"] or ()}
    ]
    risks += [
        Hazard(
            HazardCode.LOSSY_CAST,
            f"{new.id}.{m['name']}: {before[m['name']]['type']} → {m['type']} can lose something.",
        )
        for m in new["members"] or ()
        if m["name"] in before and lossy(before[m["name"]]["type"], m["type"])
    ]
    dress = [*w.dressed(new, context, _noun(new), "type"), *_commented([], new["members"] or [], new)]
    return remade(
        old, new, context, "type", _made(new), f"{have} is distinct from {want}", carried, dress, *risks
    )


def _carried(value: str, old: dict[str, Json] | None, new: dict[str, Json]) -> str:
    if old is None:
        return f"null::{new['type']}"
    return value if old["type"] == new["type"] else using(value, old["type"], new["type"])[0]


KIND = Kind("composite", read, create, drop, alter, replaceable=False)
