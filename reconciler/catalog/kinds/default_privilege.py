"""What ALTER DEFAULT PRIVILEGES says new objects shall grant (manual: ALTER DEFAULT PRIVILEGES).

One fact per role, schema and class of objects, named `role/schema/letter`; the schema is empty for the role's global
entry. A global entry replaces the built-in defaults, one for a schema is added to them: so an absent global entry means
the built-in defaults, and an absent one for a schema means nothing. Objects that exist already are never touched. An entry
is no part of its schema: platforms make some for roles of their own, which nobody declares and nobody may take away.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, ObjectId, Statement
from reconciler.pg import ident

CLASSES = {
    "r": ("table", "tables"),
    "S": ("sequence", "sequences"),
    "f": ("function", "functions"),
    "T": ("type", "types"),
    "n": ("schema", "schemas"),
    "L": ("large object", "large objects"),
}
"""letter of pg_default_acl → (its class in `writing.ALL_ON`, its word in the statement)."""


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_default_acl",
        "d.oid",
        name=f"{r.owner('d.defaclrole')} || '/' || coalesce(n.nspname, '') || '/' || d.defaclobjtype::text",
        attributes=r.attributes(
            owner=r.owner("d.defaclrole"),
            schema="n.nspname",
            on="d.defaclobjtype",
            acl=r.column_acl("d.defaclacl", "d.defaclrole"),
        ),
        source="pg_catalog.pg_default_acl as d left join pg_catalog.pg_namespace as n on n.oid = d.defaclnamespace"
        f" where case when n.oid is null then {r.outside(scope)} else {r.in_scope(scope)} end",
    )


def _built_in(fact: Fact, context: Context) -> w.Acl:
    return {} if fact["schema"] else w.default_acl(CLASSES[fact["on"]][0], context.major)


def _written(fact: Fact, have: w.Acl, want: w.Acl) -> tuple[Statement, ...]:
    where = f" in schema {ident(fact['schema'])}" if fact["schema"] else ""
    head = f"alter default privileges for role {ident(fact['owner'])}{where} "
    grants = w.granted(fact, have, want, CLASSES[fact["on"]][1], fresh=True)
    return tuple(replace(grant, sql=head + grant.sql) for grant in grants)


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    return list(_written(fact, _built_in(fact, context), fact["acl"] or {}))


def drop(fact: Fact, context: Context) -> list[Statement]:
    found = _written(fact, fact["acl"] or {}, _built_in(fact, context))
    if not fact["schema"] or ObjectId("schema", "", fact["schema"]) in context.after.digests:
        return list(found)
    # The schema leaves too, and with it the entry: the second time there is nothing to name.
    there = f"not {w.missing('to_regnamespace', ident(fact['schema']))}"
    return [replace(statement, sql=w.guarded(there, statement.sql)) for statement in found]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return Alteration(_written(new, old["acl"] or {}, new["acl"] or {}))


KIND = Kind("default_privilege", read, create, drop, alter)
