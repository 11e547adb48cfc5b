"""Whose each table is: schemas of several styles, table by table, and what a declaration changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.pg import Url, connect
from reconciler.shadow.tenants import tenancy
from reconciler.shadow.tenants.values import Tenancy

EXPECTED = {
    "clearscrub": {
        "root": "organisations", "user": "users", "membership": "members", "global": "", "unknown": "", "via": "",
        "tenant": "accounts companies company_aliases statements submissions transactions trigger_audit_log webhook_secrets",
    },
    "memberships": {
        "root": "organizations", "user": "notifications profiles users", "membership": "organization_members",
        "tenant": "documents invitations projects subscriptions", "via": "comments invoices task_labels tasks",
        "global": "countries plans", "unknown": "feedback",
    },
    "settings": {
        "root": "tenants", "user": "", "membership": "", "via": "branch_staff document_versions", "global": "currencies", "unknown": "",
        "tenant": "bookings branches contracts customers documents events events_2024 events_2025 order_lines orders readings readings_0"
        " readings_1 users",
    },
    "bare": {"root": "", "user": "drafts", "membership": "", "tenant": "notes", "via": "note_links", "global": "feature_flags",
        "unknown": ""},
    "owned": {"root": "", "user": "follows item_images items lists profiles users", "membership": "", "tenant": "", "via": "",
        "global": "categories", "unknown": ""},
    "metadata": {"root": "Tenants", "user": "todo users", "membership": "", "tenant": "Sales Orders,a,log,people",
        "via": "Order Lines,b,leave", "global": "", "unknown": ""},
    "lookups": {"root": "gardens", "user": "gardeners likes super_admins users", "membership": "garden_members", "tenant": "beds pots tools",
        "via": "plants", "global": "", "unknown": ""},
    "profiles": {"root": "companies", "user": "users", "membership": "company_members",
        "tenant": "api_calls customers messages profiles trainings", "via": "orders", "global": "plans rates roles", "unknown": ""},
    "logins": {"root": "", "user": "job_steps jobs", "membership": "", "tenant": "", "via": "", "global": "shifts", "unknown": ""},
}  # fmt: skip


def by_ownership(found: Tenancy) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for id, owned in found.tables.items():
        if id.schema in ("storage", "realtime"):  # the platform's
            continue
        made.setdefault(owned.ownership, []).append(id.name)
    return {kind: sorted(names) for kind, names in made.items()}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_table_has_an_owner_and_a_reason(started: Callable[[str], Url], name: str) -> None:
    with connect(started(name)) as session:
        found = tenancy.read(session, tenant_column="org_id")
        assert tenancy.read(session) == found  # the column is nothing new
    wanted = {
        kind: sorted(names.split("," if "," in names else " "))
        for kind, names in EXPECTED[name].items()
        if names
    }
    assert by_ownership(found) == wanted
    for owned in found.tables.values():
        assert owned.why
        assert bool(owned.owner) == (owned.ownership not in ("global", "unknown"))
        assert bool(owned.columns) == bool(owned.owner)


def test_what_is_declared_wins(loaded: Callable[[str], Url]) -> None:
    said = {
        "public.feedback": "global",
        "notifications": "global",
        "public.comments": "author_id",
        "projects": "root",
    }
    with connect(loaded("memberships")) as session:
        found = tenancy.read(session, declared=said)
    kinds = {id.name: owned.ownership for id, owned in found.tables.items()}
    assert (kinds["feedback"], kinds["notifications"], kinds["comments"]) == ("global", "global", "user")
    assert found.root is not None
    assert found.root.name == "projects"
    assert kinds["tasks"] == "tenant"


def test_the_configured_column_wins_over_what_policies_ask(loaded: Callable[[str], Url]) -> None:
    with connect(loaded("settings")) as session:
        session.execute("alter table app.customers add region_id int not null default 1")
        session.execute("create table app.regions (region_id int primary key, name text)")
        session.execute("alter table app.customers add foreign key (region_id) references app.regions")
        found = tenancy.read(session, tenant_column="region_id")
    assert found.root is not None
    assert found.root.name == "regions"


def test_a_reason_names_the_policy_or_the_key(loaded: Callable[[str], Url]) -> None:
    with connect(loaded("memberships")) as session:
        why = {id.name: owned.why for id, owned in tenancy.read(session).tables.items()}
    assert why["projects"] == "policy members on public.projects holds organization_id against the session"
    assert why["tasks"] == "foreign key from project_id to public.projects"
    assert (
        why["feedback"] == "nothing in it names a tenant or a user, yet anon and authenticated may write it"
    )


def test_names_that_look_like_the_row_do_not_mislead(loaded: Callable[[str], Url]) -> None:
    with connect(loaded("settings")) as session:
        session.execute(
            'create table app."x" ("max.x" int primary key, "an x.y" int not null references app.tenants (id), unique ("an x.y"))'
        )
        session.execute(
            'create table app.deep (id int primary key, up int not null references app."x" ("max.x"))'
        )
        session.execute("create table app.deeper (up int not null references app.deep (id))")
        found = {id.name: owned for id, owned in tenancy.read(session).tables.items()}
        assert [found[name].ownership for name in ("x", "deep", "deeper")] == ["tenant", "via", "via"]
        session.execute(f"select {found['deeper'].owner} from app.deeper as x".encode())
        session.execute(
            "insert into app.tenants (id, name) values (7, 'seven'); insert into app.\"x\" values (1, 7);"
            " insert into app.deep values (2, 1); insert into app.deeper values (2)"
        )
        assert session.execute(
            f"select {found['deeper'].owner} from app.deeper as x".encode()
        ).fetchall() == [("7",)]


def test_a_copy_without_keys_is_never_quietly_for_everybody(loaded: Callable[[str], Url]) -> None:
    with connect(loaded("memberships")) as session:
        session.execute(
            "create table gadgets (by_whom uuid not null references organizations, label text);"
            "create table gadgets_old as table gadgets; create table tasks_old as table tasks; create table profiles_old as table profiles;"
            "create table organizations_old as table organizations; create table parts (id bigint primary key, by_whom text, name text);"
            "create table login_attempts (id bigint primary key, email text, ok boolean)"
        )
        found = {id.name: owned for id, owned in tenancy.read(session).tables.items()}
    assert (found["gadgets_old"].ownership, found["gadgets_old"].columns) == ("tenant", ("by_whom",))
    assert found["gadgets_old"].why == "by_whom names the tenant, as in public.gadgets"
    assert found["tasks_old"].ownership == "unknown"
    assert found["tasks_old"].why == "project_id says whose a row is in public.tasks, and here it has no key"
    assert found["organizations_old"].why.startswith("it has every column of public.organizations")
    assert found["profiles_old"].ownership == "unknown"
    attempts = found["login_attempts"]
    assert (attempts.ownership, attempts.why) == ("unknown", "email tells who somebody is")
    assert found["parts"].ownership == "global"  # a name alone, of another type, says nothing
