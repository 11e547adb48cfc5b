"""Worlds of two tenants on a real server: what is in them, and that they differ in the rows of B and in nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from reconciler.errors import Stalled
from reconciler.model import ObjectId
from reconciler.pg import Url, connect, ident
from reconciler.shadow.rows import plain_text
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.tenants import identities, tenancy, world
from reconciler.shadow.tenants.values import Identity, Side, World

SCHEMAS = (
    "clearscrub",
    "memberships",
    "settings",
    "bare",
    "owned",
    "metadata",
    "logins",
    "lookups",
    "profiles",
)
NEVER = {
    "settings": {"app.readings_1": "it is a partition for other tenants' rows"},
    "lookups": {"public.super_admins": "who stands in it rules over all tenants"},
}
"""What cannot hold a row of these tenants, and how that is told."""


def rows_of(session: psycopg.Connection, table: ObjectId) -> str:
    """What to read the table from: with its partitions, without its heirs."""
    name = ident(table.schema, table.name)
    row = session.execute("select relkind = 'p' from pg_class where oid = %s::regclass", (name,)).fetchone()
    return name if row is not None and row[0] else f"only {name}"


def lines(url: Url, table: ObjectId, columns: list[str]) -> list[tuple[str | None, ...]]:
    texts = ", ".join(f"{ident(c)}::text" for c in columns)
    with connect(url) as session, plain_text(session):
        found = session.execute(f"select {texts} from {rows_of(session, table)}".encode()).fetchall()
    return sorted(found, key=repr)


def made_of(found: World, table: ObjectId, columns: list[str], *sides: Side) -> list[tuple[str | None, ...]]:
    rows = [row for side in sides for row in found.rows[side].get(table, ())] + list(
        found.shared.get(table, ())
    )
    return sorted((tuple(row.values[c] for c in columns) for row in rows), key=repr)


@pytest.mark.majors
@pytest.mark.parametrize("name", SCHEMAS)
def test_the_rows_are_what_is_said_and_the_worlds_differ_in_those_of_b_alone(
    built: Callable[[str], World], name: str
) -> None:
    found = built(name)
    never = NEVER.get(name, {})
    assert {str(id) for id in found.unseeded} == never.keys()
    assert all(f"no row of A: {never[str(id)]}" in why for id, why in found.unseeded.items())
    for table, owned in found.tenancy.tables.items():
        if table in found.unseeded:
            continue
        some = next(iter((*found.rows["A"].get(table, ()), *found.shared.get(table, ()))))
        columns = list(some.values)
        assert lines(found.alone, table, columns) == made_of(found, table, columns, "A")
        assert lines(found.both, table, columns) == made_of(found, table, columns, "A", "B")
        if owned.owner:
            assert found.rows["A"][table], table
            assert found.rows["B"][table], table


@pytest.mark.majors
@pytest.mark.parametrize("name", SCHEMAS)
def test_the_owner_of_every_row_is_who_it_was_made_for(built: Callable[[str], World], name: str) -> None:
    found = built(name)
    for url, sides in ((found.alone, ("A",)), (found.both, ("A", "B"))):
        with connect(url) as session:
            for table, owned in found.tenancy.tables.items():
                if not owned.owner:
                    continue
                counted = dict(
                    session.execute(
                        f"select {owned.owner}, count(*) from {rows_of(session, table)} as x group by 1".encode()
                    ).fetchall()
                )
                for side in ("A", "B"):
                    keys = found.users[side] if owned.ownership == "user" else (found.keys[side],)
                    there = sum(counted.pop(key, 0) for key in keys)
                    assert there == (len(found.rows[side].get(table, ())) if side in sides else 0), (
                        table,
                        side,
                    )
                assert counted == {}, table


def test_a_member_sees_the_rows_of_a_and_a_user_of_both_no_more_at_a_time(
    built: Callable[[str], World],
) -> None:
    found = built("clearscrub")
    known = {identity.name: identity for identity in found.identities}
    assert {"member of A", "admin of A", "user of A and B", "anon", "service_role"} <= known.keys()
    assert found.uncalibrated == {}
    with connect(found.both) as session:
        for name in ("member of A", "admin of A", "user of A and B"):
            with session.transaction(force_rollback=True):
                for sql in identities.become(known[name]):
                    session.execute(sql.encode())
                rows = session.execute("select org_id::text from public.companies").fetchall()
                assert [row[0] for row in rows] == [found.keys["A"]] * 2
                log = session.execute("select from public.trigger_audit_log").fetchall()
                assert len(log) == (2 if name == "admin of A" else 0)
    # the user of both is a member of B only where B is
    for url, many in ((found.alone, 1), (found.both, 2)):
        with connect(url) as session:
            row = session.execute(
                "select count(*) from public.members where user_id::text = %s", (found.users["A"][2],)
            ).fetchone()
            assert row == (many,)


@pytest.mark.parametrize("name", SCHEMAS)
def test_who_belongs_to_a_sees_rows_of_a_and_none_of_b(built: Callable[[str], World], name: str) -> None:
    found = built(name)
    assert found.uncalibrated == {}
    members = [i for i in found.identities if i.sides == ("A",) and not i.name.startswith("owner")]
    assert len(members) >= (1 if name in ("settings", "logins") else 2)
    for identity in members:
        seen = {url: visible(url, identity, found) for url in (found.alone, found.both)}
        assert seen[found.alone] == seen[found.both], identity
        assert sum(seen[found.alone].values()) > 0, identity


def visible(url: Url, identity: Identity, found: World) -> dict[ObjectId, int]:
    """How many rows of each table that belongs to somebody; everybody may see profiles in one of the schemas."""
    made = {}
    with connect(url) as session, session.transaction(force_rollback=True):
        for sql in identities.become(identity):
            session.execute(sql.encode())
        for table, owned in found.tenancy.tables.items():
            if not owned.owner or table.name == "profiles":
                continue
            try:
                with session.transaction():
                    row = session.execute(
                        f"select count(*) from {ident(table.schema, table.name)}".encode()
                    ).fetchone()
            except psycopg.errors.InsufficientPrivilege:
                continue
            made[table] = row[0] if row else 0
    return made


def test_somebody_of_whom_nobody_knows_what_policies_want_is_told(
    scratch_server: Shadow, database: Callable[..., Url], loaded: Callable[[str], Url]
) -> None:
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "create policy odd on notes as restrictive using (current_setting('my.moon', true) = md5(tenant))"
        )
        session.execute("create policy odd on drafts as restrictive using (false)")
    with world.build(scratch_server, url) as found:
        assert found.uncalibrated == dict.fromkeys(
            ("member of A", "second user of A"),
            "it sees no row of A in any of the 3 tables that worlds_app may read",
        )


def test_a_setting_whose_name_says_nothing_is_found_by_trying(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "alter policy tenant on notes using (tenant = current_setting('my.moon', true)) with check (true)"
        )
        session.execute(
            "create policy mode on notes as restrictive using (current_setting('my.mode', true) in ('view', 'edit'))"
        )
    with world.build(scratch_server, url) as found:
        member = found.identities[0]
        assert found.uncalibrated == {}
        assert member.settings["my.moon"] == found.keys["A"]
        assert member.settings["my.mode"] == "view"
        assert (
            sum(visible(found.both, member, found).values())
            == sum(visible(found.alone, member, found).values())
            > 1
        )


def test_claims_that_must_not_help(built: Callable[[str], World]) -> None:
    found = built("metadata")
    member = found.identities[0]
    none, empty, forged = identities.variants(member, found)
    assert (none.settings, none.sides) == ({}, ())
    assert set(empty.settings.values()) == {""}
    claims = json.loads(forged.settings["request.jwt.claims"])
    assert claims["app_metadata"]["tenant_id"] == found.keys["A"]
    assert claims["user_metadata"]["tenant_id"] == found.keys["B"]
    assert claims["user_metadata"]["app_metadata"]["tenant_id"] == found.keys["B"]
    assert claims["sub"] == found.users["A"][0]


FIXTURES = """
insert into auth.users (id, email) select ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'user' || n || '@example.org' from generate_series(1, 5) as n;
insert into organizations (id, slug, plan_id) select ('10000000-0000-0000-0000-00000000000' || n)::uuid, 'tenant-' || n, p.id
  from generate_series(1, 3) as n, insert_plan() as p (id);
insert into organization_members (organization_id, user_id, role, status) values
  ('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 'owner', 'active'),
  ('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'member', 'active'),
  ('10000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003', 'admin', 'active'),
  ('10000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000004', 'admin', 'active');
insert into projects (organization_id, name) select id, 'declared ' || slug from organizations;
"""


def test_declared_rows_win(scratch_server: Shadow, loaded: Callable[[str], Url]) -> None:
    script = (
        "create function insert_plan() returns setof int language sql as $$ insert into plans (name, price) values ('gold', 7)"
        f" returning id $$; {FIXTURES}; drop function insert_plan();"
    )
    recipes = [
        identities.Recipe("robot", "authenticated", ("B",), {"app.t": "{tenant}", "j": '{"u": "{user}"}'}),
        identities.Recipe("visitor", "anon", (), {"app.t": "{tenant}"}),
    ]
    with world.build(scratch_server, loaded("memberships"), scripts=[script], recipes=recipes) as found:
        tail = {side: key[-1] for side, key in found.keys.items()}
        assert tail == {"A": "1", "B": "2"}
        assert [user[-1] for user in found.users["A"]] == ["2", "1"]  # the ordinary member first
        assert [user[-1] for user in found.users["B"]] == ["3"]
        projects = ObjectId("table", "public", "projects")
        for side, number in (("A", 1), ("B", 2)):
            assert [row.values["name"] for row in found.rows[side][projects]] == [f"declared tenant-{number}"]
            assert len(found.rows[side][ObjectId("table", "public", "tasks")]) == 2
        names = {url: [row[0] for row in lines(url, projects, ["name"])] for url in (found.alone, found.both)}
        assert names[found.alone] == ["declared tenant-1", "declared tenant-3"]
        assert names[found.both] == ["declared tenant-1", "declared tenant-2", "declared tenant-3"]
        known = {identity.name: identity for identity in found.identities}
        assert known["robot"].settings == {"app.t": found.keys["B"], "j": f'{{"u": "{found.users["B"][0]}"}}'}
        assert known["visitor"].settings == {"app.t": ""}
        assert known["admin of A"].settings["request.jwt.claims"].count(found.users["A"][1]) == 1
        assert found.uncalibrated == {}


def test_fixtures_that_do_not_run_are_told(scratch_server: Shadow, loaded: Callable[[str], Url]) -> None:
    start = loaded("bare")
    with (
        pytest.raises(Stalled, match='fixture 2 does not run: relation "nowhere" does not exist'),
        world.build(scratch_server, start, scripts=["select 1", "insert into nowhere values (1)"]),
    ):
        pass
    with (
        pytest.raises(Stalled, match="identity 'x' acts as the role nobody_at_all"),
        world.build(scratch_server, start, recipes=[identities.Recipe("x", "nobody_at_all", (), {})]),
    ):
        pass


def test_headers_that_a_client_writes_are_forged_too(built: Callable[[str], World]) -> None:
    found = built("metadata")
    member = replace(
        found.identities[0], settings={"request.headers": f'{{"x-tenant": "{found.keys["A"]}"}}'}
    )
    *_, forged = identities.variants(member, found)
    assert forged.settings == {"request.headers": f'{{"x-tenant": "{found.keys["B"]}"}}'}
    assert forged.sides == ("A",)
    short = replace(found, keys={"A": "ba", "B": "or"})
    sent = replace(member, settings={"request.headers": '{"x-account": "ba", "host": "bank.example"}'})
    *_, forged = identities.variants(sent, short)
    assert json.loads(forged.settings["request.headers"]) == {"x-account": "or", "host": "bank.example"}


def test_sequences_stand_alike_and_views_are_filled(built: Callable[[str], World]) -> None:
    found = built("memberships")
    counters, counts = [], []
    for url in (found.alone, found.both):
        with connect(url) as session:
            counters.append(
                session.execute("select sequencename, last_value from pg_sequences order by 1").fetchall()
            )
            row = session.execute("select count(*), sum(count) from public.task_counts").fetchone()
            assert row is not None
            counts.append(row)
    assert counters[0] == counters[1]
    assert all(last for name, last in counters[0] if name.startswith("tasks"))
    assert counts[0][0] < counts[1][0]


def test_a_tenancy_that_was_read_before_is_kept(scratch_server: Shadow, loaded: Callable[[str], Url]) -> None:
    url = loaded("settings")
    with connect(url) as session:
        session.execute("alter table app.customers add region_id int not null")
        session.execute("create table app.regions (region_id int primary key, name text)")
        session.execute("alter table app.customers add foreign key (region_id) references app.regions")
        whose = tenancy.read(session, tenant_column="region_id", declared={"app.currencies": "unknown"})
    assert whose.root == ObjectId("table", "app", "regions")
    with world.build(scratch_server, url, tenancy=whose) as found:
        assert found.tenancy == whose
        assert [row.values["region_id"] for row in found.rows["A"][whose.root]] == [found.keys["A"]]
        assert {
            row.values["region_id"] for row in found.rows["B"][ObjectId("table", "app", "customers")]
        } == {found.keys["B"]}


def test_roles_of_a_table_are_dealt_out_and_an_enum_says_what_a_setting_may_be(
    built: Callable[[str], World],
) -> None:
    found = built("profiles")
    members = found.rows["A"][ObjectId("table", "public", "company_members")]
    assert [row.values["role_id"] for row in members] == ["3", "2", "3"]
    known = {identity.name: identity for identity in found.identities}
    assert known["admin of A"].settings["app.mode"] == "office_admin"
    assert "app.mode" not in known["member of A"].settings  # to whom it makes no difference
    trainings = ObjectId("table", "public", "trainings")
    assert visible(found.both, known["admin of A"], found)[trainings] == 2


def test_users_that_name_their_tenant_are_ranked_as_members_are(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "create table orgs (id bigint primary key, name text);"
            "create table users (id bigint primary key, org_id bigint not null references orgs, is_admin boolean not null,"
            " is_org_admin boolean not null);"
            "create function mine() returns bigint language sql stable security definer as"
            " $$ select org_id from users where id = nullif(current_setting('app.user_id', true), '')::bigint $$;"
            "alter table users enable row level security;"
            "create policy own on users using (org_id = mine())"
        )
    with world.build(scratch_server, url) as found:
        users = found.rows["A"][ObjectId("table", "public", "users")]
        assert [row.values["is_org_admin"] for row in users] == ["false", "true", "false"]
        assert {row.values["is_admin"] for row in users} == {"false"}


def test_there_is_something_to_take_and_something_to_show(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "create table people (id bigint primary key, name text);"
            "create table purses (person_id bigint primary key references people, held bigint not null default 0 check (held >= 0),"
            " state text not null default 'new' check (state in ('new', 'paid', 'gone')));"
            "create materialized view paid as select person_id, held from purses where state = 'paid';"
            "alter table people enable row level security;"
            "create policy own on people using (id = nullif(current_setting('app.user_id', true), '')::bigint)"
        )
    with world.build(scratch_server, url) as found:
        purses = found.rows["B"][ObjectId("table", "public", "purses")]
        assert purses
        assert all(row.values["state"] == "paid" and row.values["held"] != "0" for row in purses)


def test_one_setting_for_each_claim_where_nothing_asks_for_the_document(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "alter policy own on drafts using (author_id::text = current_setting('request.jwt.claim.sub', true))"
        )
        session.execute("create role worlds_second; create role worlds_third; create role worlds_fourth")
        session.execute("grant select on drafts to worlds_second, worlds_third, worlds_fourth")
    try:
        with world.build(scratch_server, url) as found:
            member = found.identities[0]
            assert member.settings == {
                "my.tenant": found.keys["A"],
                "request.jwt.claim.sub": found.users["A"][0],
            }
            assert found.uncalibrated == {}
            people: dict[str, int] = {}
            for identity in found.identities:
                people[identity.role] = people.get(identity.role, 0) + 1
            assert people["worlds_app"] == 2
            assert people["worlds_third"] == 1  # a fourth role acts for one member
    finally:
        with connect(url) as session:
            session.execute("drop owned by worlds_second, worlds_third, worlds_fourth")
            session.execute("drop role worlds_second, worlds_third, worlds_fourth")


def test_a_document_that_is_asked_for_is_always_sent(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "alter policy own on drafts using (author_id = nullif(current_setting('my.user_id', true), '')::bigint"
            " or body = current_setting('request.headers', true)::json ->> 'x-secret')"
        )
    with world.build(scratch_server, url) as found:
        assert all("request.headers" in identity.settings for identity in found.identities)
        assert {json.dumps(json.loads(i.settings["request.headers"])) for i in found.identities} == {"{}"}


def test_documents_have_what_is_read_in_them(built: Callable[[str], World]) -> None:
    found = built("lookups")
    roles = [
        json.loads(row.values["extra"] or "{}")["rights"]["role"]
        for row in found.rows["A"][ObjectId("table", "public", "garden_members")]
    ]
    assert roles == ["helper", "keeper_admin", "helper"]
    about = json.loads(
        found.rows["B"][tools := ObjectId("table", "public", "tools")][0].values["about"] or "{}"
    )
    assert about == {"grams": 1, "maker": "canary_B_about_0", "owner_user_id": found.users["B"][0]}
    known = {identity.name: identity for identity in found.identities}
    assert visible(found.both, known["admin of A"], found)[tools] == 2
    assert visible(found.both, known["member of A"], found)[tools] == 0


def test_a_tenant_is_called_what_its_table_is_called(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    """Nobody calls it `vessel` elsewhere, and one policy that lets every row through must not leave everybody without a tenant."""
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "create table vessels (id bigint primary key generated always as identity, name text not null);"
            " create table cargo (id bigint primary key generated always as identity, vessel_id bigint not null references vessels, what text);"
            " alter table vessels enable row level security; alter table cargo enable row level security;"
            " create policy own on vessels using (id = nullif(current_setting('fleet.vessel', true), '')::bigint or name is not null);"
            " create policy own on cargo using (vessel_id = nullif(current_setting('fleet.vessel', true), '')::bigint);"
            " grant select on vessels, cargo to worlds_app; drop table note_links, notes"
        )
    with world.build(scratch_server, url) as found:
        assert str(found.tenancy.root) == "public.vessels"
        mine = [i for i in found.identities if i.name == "member of A"]
        assert [i.settings.get("fleet.vessel") for i in mine] == [found.keys["A"]]


def test_who_may_do_more_has_every_right_that_is_a_flag(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    url = loaded("bare")
    with connect(url) as session:
        session.execute(
            "create table guilds (id bigint primary key generated always as identity, name text not null);"
            " create table smiths (id bigint primary key generated always as identity, login text not null);"
            " create table mandates (guild_id bigint not null references guilds, smith_id bigint not null references smiths,"
            "   can_post boolean not null default true, can_close boolean not null default false, primary key (guild_id, smith_id));"
            " create table seasons (guild_id bigint not null references guilds, no integer not null, listed boolean not null, primary key (guild_id, no));"
            " alter table mandates enable row level security; alter table seasons enable row level security;"
            " create policy own on mandates using (guild_id = nullif(current_setting('my.guild', true), '')::bigint);"
            " create policy own on seasons using (exists (select from mandates as m where m.guild_id = seasons.guild_id"
            "   and m.smith_id = nullif(current_setting('my.user_id', true), '')::bigint and m.can_close));"
            " grant select on mandates, seasons to worlds_app; drop table note_links, notes, drafts"
        )
    with world.build(scratch_server, url) as found:
        rows = found.rows["A"][ObjectId("table", "public", "mandates")]
        assert [(row.values["can_post"], row.values["can_close"]) for row in rows] == [
            ("true", "false"),
            ("true", "true"),
            ("true", "false"),
        ]
        assert "admin of A" in {i.name for i in found.identities}
        seasons = found.rows["A"][ObjectId("table", "public", "seasons")]
        assert {row.values["listed"] for row in seasons} == {"false"}, "what is listed is there for everybody"
