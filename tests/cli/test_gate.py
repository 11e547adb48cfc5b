"""The plan gate: a change that adds a finding of the audit fails the plan, and is applied only when somebody allows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from commands import Place

from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.embedded import Server
from reconciler.engine import gate
from reconciler.model import Finding, Plan, Snapshot
from reconciler.pg import Url, connect
from reconciler.platforms import managed_schemas, prelude
from reconciler.settings import Database
from reconciler.settings.audit import Audit, Exemption
from reconciler.shadow.scratch import shadow

SHUT = """\
create table notes (id uuid primary key, org_id uuid not null, line text not null);
alter table notes enable row level security;
alter table notes force row level security;
create policy own_rows on notes using (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
grant select on notes to public;
"""
OPEN = (
    SHUT
    + "create table exports (id uuid primary key, org_id uuid not null); grant select on exports to public;\n"
)


def test_what_adds_a_finding_fails_the_plan_until_it_is_allowed(place: Place) -> None:
    place.sql(SHUT)
    place.declare(OPEN)
    said = place.run("plan", "--format", "json")
    assert said.code == 3
    assert place.migrations == [] and said.json["migration"]["files"] == []
    assert [(one["rule"], one["id"]) for one in said.json["findings"]] == [("RLS001", "public.exports")]
    assert "ADDS_FINDING" in {hazard["code"] for hazard in said.json["hazards"]}
    refused = place.run("apply", "--yes")
    assert refused.code == 3 and "ADDS_FINDING: RLS001" in refused.err
    assert place.run("plan", "--allow", "ADDS_FINDING").code == 0
    (file,) = place.migrations
    assert "ADDS_FINDING" in file.read_text() and "RLS001" in file.read_text()
    # The file is asked again, whoever wrote it.
    again = place.run("apply", "--yes")
    assert again.code == 3 and "ADDS_FINDING: RLS001" in again.err


Added = Callable[..., list[str]]


@pytest.fixture
def added(server: Server, database: Callable[..., Url]) -> Added:
    """The rules that a change from one script to another adds."""

    def between(before: str, after: str, config: Database, scope: Scope = EVERYTHING) -> list[str]:
        urls = []
        for script in (before, after):
            urls.append(database())
            with connect(urls[-1]) as session:
                session.execute(script.encode())
        with shadow(server.url) as place:
            return [one.rule for one in gate.added(place, *urls, config, scope)]

    return between


def test_only_what_was_not_there_before_counts(added: Added) -> None:
    config = Database(name="shop")
    assert added(SHUT, OPEN, config) == ["RLS001"]
    assert added(OPEN, OPEN.replace("line text not null", "line text not null, more text"), config) == []
    key = Exemption(key="RLS001 table public.exports", reason="public on purpose", expires="2999-01-01")
    assert added(SHUT, OPEN, Database(name="shop", audit=Audit(exemptions=(key,)))) == []


def test_what_supabase_grants_on_everything_new_is_no_finding_of_the_change(added: Added) -> None:
    """Nobody could add a table otherwise. Elsewhere the same grants are somebody's decision, and a role may log in with them."""
    before = (
        prelude("supabase")
        + "create table orgs (id uuid primary key); alter table orgs enable row level security;"
    )
    table = (
        "create table notes (id bigint generated always as identity primary key, org_id uuid not null);"
        "create index on notes (org_id); alter table notes enable row level security;"
        "create policy own on notes to authenticated using (org_id = (select current_setting('app.org', true)::uuid));"
    )
    managed = Scope(hidden=managed_schemas("supabase"))
    assert added(before, before + table, Database(name="shop", platform="supabase"), managed) == []
    assert {"GRANT001", "GRANT005", "GRANT008"} <= set(
        added(before, before + table, Database(name="shop"), managed)
    )


def test_a_first_plan_has_nothing_before_it() -> None:
    from reconciler.model import Fact, ObjectId, Statement

    found = (Finding("RLS001", "warning", ObjectId("table", "public", "t"), "is open"),)
    plan = Plan("", "", (), (Statement("create table t ()", ""), Statement("create table u ()", "")), ())
    empty = gate.told_by(plan, found, Snapshot({}, {}, {}))
    assert empty.hazards == () and "reconciler audit" in empty.notes[0]
    there = ObjectId("table", "public", "u")
    told = gate.told_by(plan, found, Snapshot({there: ""}, {there: Fact(there, {}, "")}, {}))
    assert [hazard.code for hazard in told.hazards] == ["ADDS_FINDING"]
