"""Foreign-data wrappers (manual: CREATE FOREIGN DATA WRAPPER). Only a superuser may make one."""

from __future__ import annotations

from reconciler.catalog.kinds import foreign_options
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_foreign_data_wrapper",
        "f.oid",
        name="f.fdwname",
        attributes=r.attributes(
            owner=r.owner("f.fdwowner"),
            acl=r.acl("f.fdwacl", "F", "f.fdwowner"),
            comment=r.comment("pg_foreign_data_wrapper", "f.oid"),
            handler="case when f.fdwhandler <> 0 then f.fdwhandler::pg_catalog.regproc::text end",
            validator="case when f.fdwvalidator <> 0 then f.fdwvalidator::pg_catalog.regproc::text end",
            options=foreign_options.reading("f.fdwoptions", "'foreign_data_wrapper'", "f.fdwname"),
        ),
        source="pg_catalog.pg_foreign_data_wrapper as f where"
        f" {r.outside(scope)} and {r.no_member('pg_foreign_data_wrapper', 'f.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"foreign data wrapper {ident(fact.id.name)}"


def _functions(fact: Fact, other: Fact | None = None) -> str:
    found = ""
    for key in ("handler", "validator"):
        if fact[key] != (other[key] if other else None):
            found += f" {key} {fact[key]}" if fact[key] else f" no {key}"
    return found


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(
        f"not exists (select from pg_catalog.pg_foreign_data_wrapper where fdwname = {literal(fact.id.name)})",
        f"create {_noun(fact)}{_functions(fact)}{foreign_options.clause(fact['options'])}",
    )
    made = w.say(sql, f"new foreign-data wrapper {fact.id}", fact.id)
    return [made, *w.dressed(fact, context, _noun(fact), "foreign data wrapper")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop foreign data wrapper if exists {ident(fact.id.name)}"
    return [w.say(sql, f"foreign-data wrapper {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if words := _functions(new, old):
        found.append(w.say(f"alter {_noun(new)}{words}", f"{new.id}:{words}", new.id))
    current = (
        f"(select fdwoptions from pg_catalog.pg_foreign_data_wrapper where fdwname = {literal(new.id.name)})"
    )
    found += foreign_options.changed(old["options"], new["options"], f"alter {_noun(new)}", current, new)
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), "foreign data wrapper")))


KIND = Kind("foreign_data_wrapper", read, create, drop, alter)
