"""What a team puts on the platform's tables is declared like anything else; the tables are left alone, and so is what others put there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.catalog.scope import Scope
from reconciler.embedded import Server
from reconciler.engine.applying import apply
from reconciler.engine.copy import lend
from reconciler.engine.drift import as_declared, drift
from reconciler.engine.init import from_database
from reconciler.errors import Stalled
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.platforms import prelude
from reconciler.shadow.scratch import shadow

from .conftest import Project

Make = Callable[..., Project]
PLATFORM = prelude("supabase")
OURS = """\
create table profiles (id uuid primary key references auth.users (id) on delete cascade, name text);
alter table profiles enable row level security;
create policy own on profiles to authenticated using (id = (select auth.uid())) with check (id = (select auth.uid()));
create function new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, name) values (new.id, new.email);
  return new;
end $$;
create function is_mine(name text) returns boolean language sql stable as 'select name like auth.uid()::text || ''/%''';
"""
TRIGGER = "create trigger on_auth_user_created after insert on auth.users for each row execute function new_user();\n"
POLICY = "create policy files on storage.objects for select to authenticated using (bucket_id = 'f' and public.is_mine(name));\n"
FIRES, FILES = (
    ObjectId("trigger", "auth", "users", "on_auth_user_created"),
    ObjectId("policy", "storage", "objects", "files"),
)
THERE = (
    "select tgname::text from pg_trigger where tgrelid = 'auth.users'::regclass and not tgisinternal"
    " union all select polname::text from pg_policy where polrelid = 'storage.objects'::regclass order by 1"
)


def test_triggers_and_policies_on_its_tables_are_brought_kept_and_taken_away(project: Make) -> None:
    p = project(OURS + TRIGGER + POLICY, live=PLATFORM, platform="supabase")
    p.sql("create policy others on storage.objects for delete to authenticated using (owner = auth.uid())")
    missing = {change.id for change in drift(p.database).changes}
    assert {FIRES, FILES} <= missing
    apply(p.database, allow={"ADDS_FINDING"})
    assert p.sql(THERE) == [("files",), ("on_auth_user_created",), ("others",)]
    seen = drift(p.database)
    assert seen.changes == () and [id.part for id in seen.extra] == ["others"]
    p.sql("insert into auth.users (id, email) values (gen_random_uuid(), 'a@example.com')")
    assert p.sql("select name from profiles") == [("a@example.com",)]

    p.sql(
        "drop trigger on_auth_user_created on auth.users; alter policy files on storage.objects using (true)"
    )
    assert {change.id for change in drift(p.database).changes} == {FIRES, FILES}
    apply(p.database, allow={"all"})
    assert drift(p.database).changes == ()

    p.declare(OURS)  # what we brought goes with its declaration, what others brought stays
    apply(p.database, allow={"all"})
    assert p.sql(THERE) == [("others",)]


def test_what_is_there_already_is_no_obstacle_and_is_not_dropped(project: Make) -> None:
    """A project that comes with its trigger: what runs a function of ours cannot be laid down before the function."""
    p = project(
        OURS + "create table more (id integer primary key);",
        live=PLATFORM + OURS + TRIGGER + POLICY,
        platform="supabase",
    )
    seen = drift(p.database)
    assert {id.part for id in seen.extra} == {FIRES.part, FILES.part}
    assert {change.id.name for change in seen.changes} == {"more"}
    apply(p.database, allow={"ADDS_FINDING"})
    assert p.sql(THERE) == [(FILES.part,), (FIRES.part,)]


def test_the_tables_themselves_are_not_declared(project: Make) -> None:
    p = project(OURS, live=PLATFORM + OURS, platform="supabase")
    assert drift(p.database).changes == ()
    p.declare(
        "create index if not exists by_email on auth.users (email);\ncomment on schema auth is 'ours';",
        "more.sql",
    )
    with pytest.raises(Stalled, match=r"belongs to the platform.*index auth\.by_email.*schema auth"):
        drift(p.database)
    p.sql("create index if not exists by_email on auth.users (email); comment on schema auth is 'ours'")
    assert drift(p.database).changes == ()  # somebody did it: nothing is left to say


def test_a_database_with_both_is_written_as_declarations(project: Make, tmp_path: Path) -> None:
    p = project("", live=PLATFORM + OURS + TRIGGER + POLICY, platform="supabase")
    written = from_database(
        p.url.reveal(),
        tmp_path / "new",
        shadow=p.url.reveal(),
        schemas=None,
        baseline=False,
        now=datetime.now(UTC),
    )
    assert written.residue == ()
    text = "".join(path.read_text() for path in (tmp_path / "new").rglob("*.sql"))
    assert "on_auth_user_created" in text and "files" in text and "create table auth." not in text


def test_what_lies_outside_and_rests_on_what_is_managed_is_no_obstacle(project: Make) -> None:
    outside = (
        "create schema other; create table t (id integer primary key); create function f() returns trigger language plpgsql as"
        " 'begin return new; end'; create view other.v as select id from t; create table other.u (id integer references t);"
        " create trigger u before insert on other.u for each row execute function f();"
    )
    inside = "create table t (id integer primary key);\ncreate function f() returns trigger language plpgsql as 'begin return new; end';\n"
    p = project(inside, live=outside, exclude=["other"])
    assert drift(p.database).changes == ()
    p.declare(inside + "create table more (id integer primary key);")
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select count(*) from pg_trigger where tgname = 'u'") == [(1,)]
    # And nobody says of it that it is as declared.
    assert as_declared(p.database) == "the database is as declared, but for other, which nobody looks at"
    chosen = p.database.model_copy(update={"schemas": ("public",), "exclude": ()})
    assert as_declared(chosen) == "schema public is as declared; others are not looked at"


def test_on_a_shadow_of_ours_a_role_may_do_what_the_platform_lets_it(
    server: Server, database: Callable[..., Url]
) -> None:
    """A member of the tables' owners there; not of a superuser, and not of who is a member of it."""
    made = "create role lend_role; create role lend_owner; create role lend_circle; grant lend_role to lend_circle"
    live = database()
    with shadow("embedded") as own, connect(live) as session:
        session.execute(made)
        own.admin.execute(made)
        session.execute(
            "create schema auth; create table auth.users (id uuid); alter table auth.users owner to lend_owner;"
            "create table auth.rest (id uuid); alter table auth.rest owner to lend_circle; create table auth.own (id uuid)"
        )
        lend(session, own, Scope(lent=frozenset({"auth"})), "lend_role")
        lent = "select g.rolname from pg_auth_members as m join pg_roles as g on g.oid = m.roleid where m.member = 'lend_role'::regrole"
        assert own.admin.execute(lent).fetchall() == [("lend_owner",)]
        session.execute("drop schema auth cascade; drop role lend_role, lend_owner, lend_circle")


def test_what_the_platform_grants_on_everything_new_is_missed_when_it_is_taken_away(project: Make) -> None:
    """Its default privileges are part of the platform, not something that somebody typed on this database."""
    p = project(OURS, live=PLATFORM, platform="supabase")
    apply(p.database, allow={"ADDS_FINDING"})
    assert drift(p.database).changes == ()
    p.sql("revoke select on profiles from authenticated")
    assert [str(change.id) for change in drift(p.database).changes] == ["public.profiles"]
