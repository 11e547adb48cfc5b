"""Operator classes (manual: CREATE OPERATOR CLASS). `part` is the access method. Only a superuser may make one.

Nothing about a class can change but its owner and comment: otherwise it is made anew, with the indexes that use it.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.operator_family import member, members
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_opclass",
        "o.oid",
        schema="n.nspname",
        name="o.opcname",
        part="m.amname",
        attributes=r.attributes(
            owner=r.owner("o.opcowner"),
            comment=r.comment("pg_opclass", "o.oid"),
            default="nullif(o.opcdefault, false)",
            type="pg_catalog.format_type(o.opcintype, null)",
            family="pg_catalog.quote_ident(fn.nspname) || '.' || pg_catalog.quote_ident(f.opfname)",
            storage="case when o.opckeytype <> 0 then pg_catalog.format_type(o.opckeytype, null) end",
            members=members("pg_opclass", "o.oid"),
        ),
        source="pg_catalog.pg_opclass as o join pg_catalog.pg_am as m on m.oid = o.opcmethod join"
        " pg_catalog.pg_namespace as n on n.oid = o.opcnamespace join pg_catalog.pg_opfamily as f on"
        " f.oid = o.opcfamily join pg_catalog.pg_namespace as fn on fn.oid = f.opfnamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_opclass', 'o.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"operator class {w.name(fact.id)} using {ident(fact.id.part)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    there = (
        "exists (select from pg_catalog.pg_opclass as o join pg_catalog.pg_am as m on m.oid = o.opcmethod where"
        f" o.opcname = {literal(fact.id.name)} and m.amname = {literal(fact.id.part)} and o.opcnamespace ="
        f" pg_catalog.to_regnamespace({literal(ident(fact.id.schema))}))"
    )
    items = [member(entry) for entry in fact["members"] or ()]
    if fact["storage"] or not items:
        items.append(f"storage {fact['storage'] or fact['type']}")
    default = "default " if fact["default"] else ""
    sql = w.guarded(
        f"not {there}",
        f"create operator class {w.name(fact.id)} {default}for type {fact['type']} using {ident(fact.id.part)}"
        f" family {fact['family']} as {', '.join(items)}",
    )
    return [w.say(sql, f"new operator class {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop operator class if exists {w.name(fact.id)} using {ident(fact.id.part)}"
    return [w.say(sql, f"operator class {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in ("default", "type", "family", "storage", "members")):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new))))


KIND = Kind("operator_class", read, create, drop, alter)
