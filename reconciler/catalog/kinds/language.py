"""Procedural languages that no extension brought (manual: CREATE LANGUAGE). Only a superuser may make one."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_language",
        "pl.oid",
        name="pl.lanname",
        attributes=r.attributes(
            **r.common("pg_language", "pl", "lan", "l"),
            trusted="nullif(pl.lanpltrusted, false)",
            handler="pl.lanplcallfoid::pg_catalog.regproc::text",
            inline="case when pl.laninline <> 0 then pl.laninline::pg_catalog.regproc::text end",
            validator="case when pl.lanvalidator <> 0 then pl.lanvalidator::pg_catalog.regproc::text end",
        ),
        source="pg_catalog.pg_language as pl where pl.oid >= 16384 and pl.lanispl and"
        f" {r.outside(scope)} and {r.no_member('pg_language', 'pl.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"language {ident(fact.id.name)}"


def _made(fact: Fact, reason: str) -> Statement:
    trusted = "trusted " if fact["trusted"] else ""
    functions = "".join(f" {key} {fact[key]}" for key in ("handler", "inline", "validator") if fact[key])
    return w.say(f"create or replace {trusted}{_noun(fact)}{functions}", reason, fact.id)


def _grantable(fact: Fact) -> str:
    """An untrusted language is for superusers alone: PostgreSQL refuses every GRANT on it."""
    return "language" if fact["trusted"] else ""


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    made = _made(fact, f"new language {fact.id}")
    return [made, *w.dressed(fact, context, _noun(fact), _grantable(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop language if exists {ident(fact.id.name)}"
    return [w.say(sql, f"language {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["trusted"] != new["trusted"]:
        return None
    found = []
    if any(old[key] != new[key] for key in ("handler", "inline", "validator")):
        found.append(_made(new, f"{new.id}: new definition"))
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), _grantable(new))))


KIND = Kind("language", read, create, drop, alter)
