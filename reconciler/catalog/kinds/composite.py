"""Composite types (manual: CREATE TYPE … AS). The order of attributes is part of the type: rows are written by it."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Json, Statement
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


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    members = fact["members"] or []
    sql = f"create {_noun(fact)} as ({', '.join(_member(member) for member in members)})"
    found = [w.say(w.guarded(w.missing("to_regtype", w.name(fact.id)), sql), f"new type {fact.id}", fact.id)]
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
    if wanted[: len(kept)] != kept:
        raise Unplannable(f"the attributes of type {new.id} would have to change their order")
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
            found.append(w.say(sql, f"{new.id}: attribute {name} is {member['type']}", new.id))
    found += _commented(list(before.values()), list(after.values()), new)
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), "type")))


KIND = Kind("composite", read, create, drop, alter, replaceable=False)
