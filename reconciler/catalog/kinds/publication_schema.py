"""That a publication publishes all tables of a schema (manual: ALTER PUBLICATION … ADD TABLES IN SCHEMA, since 15)."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    if major < 15:
        return r.select(
            "pg_publication", "p.oid", name="p.pubname", attributes="'{}'::text",
            source="pg_catalog.pg_publication as p where false",
        )  # fmt: skip
    return r.select(
        "pg_publication_namespace",
        "m.oid",
        name="p.pubname",
        part="n.nspname",
        parent=("pg_publication", "p.oid", "0"),
        attributes=r.attributes(member="true"),
        source="pg_catalog.pg_publication_namespace as m join pg_catalog.pg_publication as p on p.oid = m.pnpubid"
        " join pg_catalog.pg_namespace as n on n.oid = m.pnnspid where"
        f" {r.outside(scope)} and {r.in_scope(scope)} and {r.no_member('pg_publication', 'p.oid')}",
    )


def _published(fact: Fact) -> str:
    return (
        "exists (select from pg_catalog.pg_publication_namespace as m join pg_catalog.pg_publication as p on"
        f" p.oid = m.pnpubid where p.pubname = {literal(fact.id.name)} and m.pnnspid ="
        f" pg_catalog.to_regnamespace({literal(ident(fact.id.part))}))"
    )


def _action(fact: Fact, verb: str) -> str:
    return f"alter publication {ident(fact.id.name)} {verb} tables in schema {ident(fact.id.part)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(f"not {_published(fact)}", _action(fact, "add"))
    return [w.say(sql, f"{fact.id.name}: publishes schema {fact.id.part}", fact.id)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = w.guarded(_published(fact), _action(fact, "drop"))
    return [w.say(sql, f"{fact.id.name}: no longer publishes schema {fact.id.part}", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return None


KIND = Kind("publication_schema", read, create, drop, alter)
