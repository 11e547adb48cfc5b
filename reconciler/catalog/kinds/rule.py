"""Rewrite rules (manual: CREATE RULE), without the one behind each view, which is the view."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.trigger import STATES
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_rewrite",
        "r.oid",
        schema="n.nspname",
        name="c.relname",
        part="r.rulename",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(
            definition="pg_catalog.pg_get_ruledef(r.oid)",
            enabled="nullif(r.ev_enabled, 'O')",
            comment=r.comment("pg_rewrite", "r.oid"),
        ),
        source="pg_catalog.pg_rewrite as r join pg_catalog.pg_class as c on c.oid = r.ev_class join"
        " pg_catalog.pg_namespace as n on n.oid = c.relnamespace where r.rulename <> '_RETURN' and"
        f" {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def _on(fact: Fact) -> str:
    return f"{ident(fact.id.part)} on {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    found = [_made(fact, f"new rule {fact.id}")]
    if fact["enabled"]:
        found.append(_enabled(fact))
    if fact["comment"] is not None:
        found.append(w.commented(fact, f"rule {_on(fact)}"))
    return found


def _made(fact: Fact, reason: str) -> Statement:
    sql = fact["definition"].rstrip().rstrip(";").replace("CREATE RULE", "create or replace rule", 1)
    return w.say(sql, reason, fact.id)


def _enabled(new: Fact) -> Statement:
    state = STATES[new["enabled"] or "O"]
    sql = f"alter table {w.name(new.id)} {state} rule {ident(new.id.part)}"
    return w.say(sql, f"{new.id}: {state}", new.id)


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [w.say(f"drop rule if exists {_on(fact)}", f"rule {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if old["definition"] != new["definition"]:
        found.append(_made(new, f"{new.id}: new definition"))
    if old["enabled"] != new["enabled"]:
        found.append(_enabled(new))
    if old["comment"] != new["comment"]:
        found.append(w.commented(new, f"rule {_on(new)}"))
    return Alteration(tuple(found))


KIND = Kind("rule", read, create, drop, alter)
