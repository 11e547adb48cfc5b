"""Collations (manual: CREATE COLLATION). The recorded version is the server's own affair and is not read."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import literal

PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
DEFINING = ("provider", "collate", "ctype", "locale", "rules", "deterministic")


def read(scope: Scope, major: int) -> str:
    """The locale of an ICU collation moved: with collate until 14, colliculocale in 15 and 16, colllocale since 17."""
    locale = {
        14: "case when c.collprovider = 'i' then c.collcollate end",
        15: "c.colliculocale",
        16: "c.colliculocale",
    }
    return r.select(
        "pg_collation",
        "c.oid",
        schema="n.nspname",
        name="c.collname",
        attributes=r.attributes(
            owner=r.owner("c.collowner"),
            comment=r.comment("pg_collation", "c.oid"),
            provider="c.collprovider",
            collate="case when c.collprovider = 'c' then c.collcollate end",
            ctype="case when c.collprovider = 'c' then c.collctype end",
            locale=locale.get(major, "c.colllocale"),
            deterministic="nullif(c.collisdeterministic, true)",
            **({"rules": "c.collicurules"} if major >= 16 else {}),
        ),
        source="pg_catalog.pg_collation as c join pg_catalog.pg_namespace as n on n.oid = c.collnamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_collation', 'c.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"collation {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    clauses = [f"provider = {PROVIDERS[fact['provider']]}"]
    if fact["locale"] is not None:
        clauses.append(f"locale = {literal(fact['locale'])}")
    elif fact["collate"] == fact["ctype"]:
        clauses.append(f"locale = {literal(fact['collate'])}")
    else:
        clauses += [f"lc_collate = {literal(fact['collate'])}", f"lc_ctype = {literal(fact['ctype'])}"]
    if fact["rules"] is not None:
        clauses.append(f"rules = {literal(fact['rules'])}")
    if fact["deterministic"] is False:
        clauses.append("deterministic = false")
    sql = f"create collation if not exists {w.name(fact.id)} ({', '.join(clauses)})"
    return [w.say(sql, f"new collation {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop collation if exists {w.name(fact.id)}"
    return [w.say(sql, f"collation {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in DEFINING):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new))))


KIND = Kind("collation", read, create, drop, alter)
