"""Each rule about trigger design speaks of its bad example, and of what that names, and not of its good one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from reconciler.audit.rules import RULES, examples
from reconciler.audit.triggers import designed
from reconciler.catalog.scope import Scope
from reconciler.catalog.snapshot import read
from reconciler.declare import read_file
from reconciler.embedded import Server
from reconciler.model import Finding, ObjectId
from reconciler.pg import connect, ident
from reconciler.platforms import managed_schemas, prelude
from reconciler.shadow.tenants.values import Owned, Tenancy

STATIC = sorted(id for id in RULES if id.startswith("TRG0"))
SCOPE = Scope(hidden=managed_schemas("supabase"))


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[psycopg.Connection]:
    name = f"trigger_design_{os.getpid()}"
    with connect(server.url) as admin:
        admin.execute(f"create database {ident(name)} template template0")
        try:
            with connect(server.url.with_database(name)) as session:
                session.execute(prelude("supabase"))
                session.execute(
                    "alter default privileges in schema public revoke all on tables from anon, authenticated, service_role"
                )
                yield session
        finally:
            admin.execute(f"drop database if exists {ident(name)} with (force)")


def found(session: psycopg.Connection, rule: str, which: str) -> set[Finding]:
    """What is said about an example; tables with a column org_id belong to the tenant it names."""
    place = examples.folder() / rule / f"{which}.sql"
    with session.transaction(force_rollback=True):
        session.execute(place.read_text())
        snapshot = read(session, SCOPE)
        owned = {
            id._replace(kind="table", part=""): Owned(id, "tenant", ("org_id",), "x.org_id::text")
            for id in snapshot.digests
            if id.kind == "column" and id.part == "org_id"
        }
        return set(designed(session, snapshot, Tenancy(owned), read_file(place).designs))


@pytest.mark.parametrize("rule", STATIC)
def test_the_bad_example_triggers_the_rule_and_what_it_names(rule: str, shared: psycopg.Connection) -> None:
    example = examples.example(rule)
    assert example is not None, rule
    said = found(shared, rule, "bad")
    assert {finding.rule for finding in said} == {rule, *example.also}, said
    assert all(finding.severity != "error" for finding in said)


@pytest.mark.parametrize("rule", STATIC)
def test_the_good_example_does_not_trigger_it(rule: str, shared: psycopg.Connection) -> None:
    said = found(shared, rule, "good")
    assert rule not in {finding.rule for finding in said}, said


def test_a_remedy_that_is_sql_mends_the_example(shared: psycopg.Connection) -> None:
    for rule in ("TRG001", "TRG010", "TRG013"):
        with shared.transaction(force_rollback=True):
            shared.execute((examples.folder() / rule / "bad.sql").read_text())
            for finding in designed(shared, read(shared, SCOPE), Tenancy({})):
                if finding.rule == rule:
                    shared.execute(finding.remedy.replace("search_path = ''", "search_path = 'public'"))
            assert rule not in {f.rule for f in designed(shared, read(shared, SCOPE), Tenancy({}))}


def test_a_chain_is_told_in_full_and_a_log_does_not_lengthen_it(shared: psycopg.Connection) -> None:
    log = "create table public.changes_log (org_id uuid, what text);"
    trigger = (
        "create function public.log_total() returns trigger language plpgsql as $$ begin"
        " insert into public.changes_log values (new.org_id, tg_op); return null; end $$;"
        "create trigger log_total after update on public.totals for each row execute function public.log_total();"
    )
    with shared.transaction(force_rollback=True):
        shared.execute((examples.folder() / "TRG003" / "bad.sql").read_text() + log + trigger)
        (chain,) = [f for f in designed(shared, read(shared, SCOPE), Tenancy({})) if f.rule == "TRG003"]
    assert chain.subject == ObjectId("trigger", "public", "orders", "bill")
    assert chain.evidence == "public.orders.bill → public.invoices.count_invoice"
