"""Extended statistics (manual: CREATE STATISTICS). They go with the columns and the table they are about."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement


def _columns(order: str) -> str:
    """The plain columns. PostgreSQL prints them as they lie in the table, and the order of columns is no difference."""
    return (
        f"(select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by {order}) from"
        " pg_catalog.unnest(s.stxkeys) with ordinality as k (number, n) join pg_catalog.pg_attribute as a on"
        " a.attrelid = s.stxrelid and a.attnum = k.number)"
    )


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_statistic_ext",
        "s.oid",
        schema="n.nspname",
        name="s.stxname",
        parent=("pg_class", "s.stxrelid", "0"),
        attributes=r.attributes(
            owner=r.owner("s.stxowner"),
            comment=r.comment("pg_statistic_ext", "s.oid"),
            definition="coalesce(pg_catalog.replace(pg_catalog.pg_get_statisticsobjdef(s.oid),"
            f" ' ON ' || {_columns('k.n')}, ' ON ' || {_columns('a.attname')}), pg_catalog.pg_get_statisticsobjdef(s.oid))",
            target="nullif(s.stxstattarget, -1)",
        ),
        source="pg_catalog.pg_statistic_ext as s join pg_catalog.pg_namespace as n on n.oid = s.stxnamespace"
        f" where {r.in_scope(scope)} and {r.no_member('pg_class', 's.stxrelid')} and"
        f" {r.no_member('pg_statistic_ext', 's.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"statistics {w.name(fact.id)}"


def _targeted(fact: Fact) -> Statement:
    target = -1 if fact["target"] is None else fact["target"]
    return w.say(f"alter {_noun(fact)} set statistics {target}", f"{fact.id}: statistics target", fact.id)


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = fact["definition"].replace("CREATE STATISTICS", "create statistics if not exists", 1)
    found = [w.say(sql, f"new statistics {fact.id}", fact.id)]
    if fact["target"] is not None:
        found.append(_targeted(fact))
    return found + w.dressed(fact, context, _noun(fact))


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop statistics if exists {w.name(fact.id)}"
    return [w.say(sql, f"statistics {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["definition"] != new["definition"]:
        return None
    found = [_targeted(new)] if old["target"] != new["target"] else []
    return Alteration((*found, *w.redressed(old, new, context, _noun(new))))


def forgotten(fact: Fact, context: Context) -> list[Statement]:
    """Made anew they belong to whoever does it, and have the default target."""
    found = w.owned(fact, context, _noun(fact))
    return [*found, _targeted(fact)] if fact["target"] is not None else found


KIND = Kind("statistics", read, create, drop, alter, forgotten=forgotten)
