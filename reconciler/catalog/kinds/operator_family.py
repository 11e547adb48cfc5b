"""Operator families with their loose members (manual: CREATE OPERATOR FAMILY, ALTER OPERATOR FAMILY).

What belongs to an operator class is written with the class; the family holds what was added to it alone. `part` is the
access method.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal

OPERATOR = (
    "select pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('class', 'operator', 'number', m.amopstrategy, 'types',"
    " pg_catalog.format_type(m.amoplefttype, null) || ', ' || pg_catalog.format_type(m.amoprighttype, null), 'member',"
    " (select pg_catalog.quote_ident(mn.nspname) || '.' || x.oprname from pg_catalog.pg_operator as x join"
    " pg_catalog.pg_namespace as mn on mn.oid = x.oprnamespace where x.oid = m.amopopr), 'sort', (select"
    " pg_catalog.quote_ident(mn.nspname) || '.' || pg_catalog.quote_ident(x.opfname) from pg_catalog.pg_opfamily as x join"
    " pg_catalog.pg_namespace as mn on mn.oid = x.opfnamespace where x.oid = m.amopsortfamily))) as member"
    " from pg_catalog.pg_amop as m"
)
FUNCTION = (
    "select pg_catalog.jsonb_build_object('class', 'function', 'number', m.amprocnum, 'types',"
    " pg_catalog.format_type(m.amproclefttype, null) || ', ' || pg_catalog.format_type(m.amprocrighttype, null), 'member',"
    " m.amproc::pg_catalog.oid::pg_catalog.regprocedure::text) from pg_catalog.pg_amproc as m"
)


def members(owner: str, oid: str) -> str:
    """The operators and functions that hang on a family or class, as jsonb in a fixed order."""

    def of(catalog: str) -> str:
        return (
            f"exists (select from pg_catalog.pg_depend as w where w.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass"
            f" and w.objid = m.oid and w.refclassid = 'pg_catalog.{owner}'::pg_catalog.regclass and w.refobjid = {oid})"
        )

    return (
        f"(select pg_catalog.jsonb_agg(y.member order by y.member) from ({OPERATOR} where {of('pg_amop')}"
        f" union all {FUNCTION} where {of('pg_amproc')}) as y)"
    )


def member(entry: dict[str, str]) -> str:
    """One member as it stands after AS or ADD."""
    if entry["class"] == "function":
        return f"function {entry['number']} ({entry['types']}) {entry['member']}"
    order = f" for order by {entry['sort']}" if entry.get("sort") else ""
    return f"operator {entry['number']} {entry['member']} ({entry['types']}){order}"


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_opfamily",
        "f.oid",
        schema="n.nspname",
        name="f.opfname",
        part="m.amname",
        attributes=r.attributes(
            owner=r.owner("f.opfowner"),
            comment=r.comment("pg_opfamily", "f.oid"),
            members=members("pg_opfamily", "f.oid"),
        ),
        source="pg_catalog.pg_opfamily as f join pg_catalog.pg_am as m on m.oid = f.opfmethod join"
        " pg_catalog.pg_namespace as n on n.oid = f.opfnamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_opfamily', 'f.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"operator family {w.name(fact.id)} using {ident(fact.id.part)}"


def _there(fact: Fact) -> str:
    return (
        "(select f.oid from pg_catalog.pg_opfamily as f join pg_catalog.pg_am as m on m.oid = f.opfmethod where"
        f" f.opfname = {literal(fact.id.name)} and m.amname = {literal(fact.id.part)} and f.opfnamespace ="
        f" pg_catalog.to_regnamespace({literal(ident(fact.id.schema))}))"
    )


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(f"not exists {_there(fact)}", f"create {_noun(fact)}")
    found = [w.say(sql, f"new operator family {fact.id}", fact.id)]
    found += [_added(fact, entry) for entry in fact["members"] or ()]
    return found + w.dressed(fact, context, _noun(fact))


def _has(fact: Fact, entry: dict[str, str]) -> str:
    catalog, prefix, number = (
        ("pg_amop", "amop", "amopstrategy")
        if entry["class"] == "operator"
        else ("pg_amproc", "amproc", "amprocnum")
    )
    left, right = entry["types"].split(", ")
    return (
        f"exists (select from pg_catalog.{catalog} where {prefix}family = {_there(fact)} and {number} = {entry['number']}"
        f" and {prefix}lefttype = {literal(left)}::pg_catalog.regtype"
        f" and {prefix}righttype = {literal(right)}::pg_catalog.regtype)"
    )


def _added(fact: Fact, entry: dict[str, str]) -> Statement:
    words = member(entry)
    sql = w.guarded(f"not {_has(fact, entry)}", f"alter {_noun(fact)} add {words}")
    return w.say(sql, f"{fact.id}: {words}", fact.id)


def _taken(fact: Fact, entry: dict[str, str]) -> Statement:
    words = f"{entry['class']} {entry['number']} ({entry['types']})"
    sql = w.guarded(_has(fact, entry), f"alter {_noun(fact)} drop {words}")
    return w.say(sql, f"{fact.id}: no longer {words}", fact.id)


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop operator family if exists {w.name(fact.id)} using {ident(fact.id.part)}"
    return [w.say(sql, f"operator family {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    before, after = old["members"] or [], new["members"] or []
    found = [_taken(new, entry) for entry in before if entry not in after]
    found += [_added(new, entry) for entry in after if entry not in before]
    return Alteration((*found, *w.redressed(old, new, context, _noun(new))))


KIND = Kind("operator_family", read, create, drop, alter)
