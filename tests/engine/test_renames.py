"""Renames by hint: every kind, with its rows, on every major; what depends on a renamed object is not made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import migrate
from reconciler.catalog import snapshot as catalog
from reconciler.cli.present.plan import plan_lines
from reconciler.embedded import Server
from reconciler.engine.applying import apply, rollback
from reconciler.engine.diff import diff
from reconciler.engine.document import plan_document
from reconciler.engine.drift import drift
from reconciler.engine.planning import Proposal, propose
from reconciler.errors import Stalled
from reconciler.model import HazardCode, ObjectId, Statement
from reconciler.pg import Url, connect
from reconciler.shadow.rehearse import Expected, rehearse

from .conftest import Project

Make = Callable[..., Project]

BEFORE = """
create schema money;
create type money.mood as enum ('sad', 'settled', 'happy');
create type money.place as (road text, city text);
create type money.span as range (subtype = integer);
create domain money.mail as text constraint mail_at check (value like '%@%') constraint short check (length(value) < 99);
create sequence money.numbers;
create table money.people (
  id bigserial primary key,
  name text not null,
  email money.mail,
  feeling money.mood not null default 'settled',
  home money.place,
  valid money.span,
  constraint named check (name <> ''),
  constraint feels check (feeling <> 'settled' or name <> 'x'),
  unique (name)
);
create index by_name on money.people (lower(name));
create statistics money.pair on name, feeling from money.people;
create table money.bills (id int primary key, person bigint constraint owes references money.people, cents int);
create function money.twice(n int) returns int language sql immutable as 'select n * 2';
create function money.twice(n text) returns text language sql immutable as $$ select n || n $$;
create function money.feels(m money.mood) returns boolean language sql immutable as 'select m is not null';
create procedure money.close() language sql as 'select 1';
create aggregate money.longest (text) (sfunc = textcat, stype = text);
create function money.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger touched before insert on money.people for each row execute function money.touch();
alter table money.people enable row level security;
create policy own on money.people using (money.twice(id::int) > 0 and feeling = 'settled');
create rule quiet as on delete to money.bills do instead nothing;
create view money.happy as select name as called, money.twice(id::int) as two from money.people where feeling = 'settled';
create materialized view money.sums as select person, sum(cents) as cents from money.bills group by person;
create index sums_by on money.sums (person);
create publication feed for table money.bills;
create text search configuration money.simple_words (copy = simple);
create collation money.plain (locale = 'C');
insert into money.people (name, home, valid) values ('Ada', row('Hill', 'London'), '[1,3)'), ('Grace', null, null);
insert into money.bills values (1, 1, 100);
"""

AFTER = """
-- reconciler: renamed_from money
create schema billing;
-- reconciler: renamed_from mood
-- reconciler: value 'paid' renamed_from 'settled'
create type billing.feeling as enum ('sad', 'paid', 'happy');
-- reconciler: renamed_from place
-- reconciler: attribute street renamed_from road
create type billing.address as (street text, city text);
-- reconciler: renamed_from span
create type billing.years as range (subtype = integer);
-- reconciler: renamed_from mail
-- reconciler: constraint brief renamed_from short
create domain billing.email as text constraint email_at check (value like '%@%') constraint brief check (length(value) < 99);
-- reconciler: renamed_from numbers
create sequence billing.counter;
-- reconciler: renamed_from people
create table billing.persons (
  id bigserial primary key,
  full_name text not null, -- reconciler: renamed_from name
  email billing.email,
  feeling billing.feeling not null default 'paid',
  home billing.address,
  valid billing.years,
  constraint has_name check (full_name <> ''), -- reconciler: renamed_from named
  -- reconciler: renamed_from feels
  constraint feels_it check (feeling <> 'paid' or full_name <> 'x'),
  unique (full_name)
);
-- reconciler: renamed_from by_name
create index persons_by_name on billing.persons (lower(full_name));
-- reconciler: renamed_from pair
create statistics billing.two on full_name, feeling from billing.persons;
-- reconciler: renamed_from bills
-- reconciler: constraint owed_by renamed_from owes
create table billing.invoices (id int primary key, person bigint constraint owed_by references billing.persons, cents int);
-- reconciler: renamed_from twice
create function billing.double(n int) returns int language sql immutable as 'select n * 2';
create function billing.twice(n text) returns text language sql immutable as $$ select n || n $$;
-- reconciler: renamed_from feels
create function billing.has_feeling(m billing.feeling) returns boolean language sql immutable as 'select m is not null';
-- reconciler: renamed_from close
create procedure billing.finish() language sql as 'select 1';
-- reconciler: renamed_from longest
create aggregate billing.all_text (text) (sfunc = textcat, stype = text);
-- reconciler: renamed_from touch
create function billing.touched() returns trigger language plpgsql as $$ begin return new; end $$;
-- reconciler: renamed_from touched
create trigger stamped before insert on billing.persons for each row execute function billing.touched();
alter table billing.persons enable row level security;
-- reconciler: renamed_from own
create policy their_own on billing.persons using (billing.double(id::int) > 0 and feeling = 'paid');
-- reconciler: renamed_from quiet
create rule silent as on delete to billing.invoices do instead nothing;
-- reconciler: renamed_from happy
create view billing.payers as
  select full_name as called, billing.double(id::int) as two from billing.persons where feeling = 'paid';
-- reconciler: renamed_from sums
create materialized view billing.totals as select person, sum(cents) as cents from billing.invoices group by person;
-- reconciler: renamed_from sums_by
create index totals_by on billing.totals (person);
-- reconciler: renamed_from feed
create publication stream for table billing.invoices;
-- reconciler: renamed_from simple_words
create text search configuration billing.words (copy = simple);
-- reconciler: renamed_from plain
create collation billing.bytes (locale = 'C');
"""

OIDS = """
select c.oid from pg_class c where c.relnamespace = any (array[to_regnamespace('money'), to_regnamespace('billing')]::oid[])
union all select p.oid from pg_proc p where p.pronamespace = any (array[to_regnamespace('money'), to_regnamespace('billing')]::oid[])
union all select t.oid from pg_type t where t.typnamespace = any (array[to_regnamespace('money'), to_regnamespace('billing')]::oid[])
union all select o.oid from pg_policy o union all select o.oid from pg_trigger o where not o.tgisinternal
union all select o.oid from pg_rewrite o where o.oid >= 16384 union all select o.oid from pg_constraint o where o.oid >= 16384
union all select o.oid from pg_statistic_ext o union all select o.oid from pg_publication o union all select o.oid from pg_enum o
order by 1
"""


def passed(proposed: Proposal) -> Proposal:
    assert proposed.rehearsal is not None
    assert proposed.rehearsal.residue == ()
    assert proposed.rehearsal.passed
    assert HazardCode.DELETES_DATA not in {hazard.code for hazard in proposed.plan.hazards}
    return proposed


@pytest.mark.thorough
@pytest.mark.majors
def test_every_kind_is_renamed_in_a_schema_that_is_renamed(project: Make) -> None:
    p = project(AFTER, live=BEFORE)
    oids = p.sql(OIDS)
    assert len(oids) > 40
    proposed = passed(propose(p.database))
    assert proposed.rehearsal is not None and proposed.rehearsal.rows_kept is True
    assert [s.sql for s in proposed.plan.up if not s.sql.startswith("do ")] == []
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select full_name, (home).street, feeling::text from billing.persons order by id") == [
        ("Ada", "Hill", "paid"), ("Grace", None, "paid"),
    ]  # fmt: skip
    assert set(oids) <= set(p.sql(OIDS))
    rollback(p.database, allow={"all"})
    assert p.sql("select name, (home).road, feeling::text from money.people order by id") == [
        ("Ada", "Hill", "settled"), ("Grace", None, "settled"),
    ]  # fmt: skip
    assert set(oids) <= set(p.sql(OIDS))


PEOPLE = """
create table people (id int primary key, name text not null);
create view names as select name as called from people;
create policy own on people using (name = current_user);
insert into people values (1, 'Ada');
"""
PERSONS = """
-- reconciler: renamed_from people
create table persons (
  id int primary key,
  full_name text not null -- reconciler: renamed_from name
);
create view names as select full_name as called from persons;
create policy own on persons using (full_name = current_user);
"""


def test_a_file_with_renames_asks_for_no_consent(project: Make) -> None:
    p = project(PERSONS, live=PEOPLE)
    made = propose(p.database).migration
    assert made is not None
    assert made.slug == "rename_persons_table"
    migrate.write(made, p.database.migrations)
    (done,) = apply(p.database)
    assert done.version == made.version
    assert p.sql("select full_name from persons") == [("Ada",)]
    (back,) = rollback(p.database)
    assert back.direction == "down"
    assert p.sql("select name from people") == [("Ada",)]


def test_drift_shows_a_rename_as_one_change_each(project: Make) -> None:
    p = project(PERSONS, live=PEOPLE)
    first = drift(p.database)
    assert first.extra == ()
    assert [(c.verb, c.id.kind, str(c.id), str(c.was)) for c in first.changes] == [
        ("alter", "table", "public.persons", "public.people"),
        ("alter", "column", "public.persons.full_name", "public.people.name"),
    ]


def test_what_is_undeclared_stays_under_the_new_names(project: Make) -> None:
    strange = "create table strange (id int primary key references people); create view stranger as select name from people;"
    p = project(PERSONS, live=PEOPLE + strange)
    assert {str(id) for id in drift(p.database).extra} == {"public.strange", "public.stranger"}
    passed(propose(p.database))
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select name from stranger") == [("Ada",)]


@pytest.mark.thorough
def test_in_a_renamed_schema_the_undeclared_stays_too(project: Make) -> None:
    p = project(
        "-- reconciler: renamed_from old\ncreate schema new; create table new.t (id int);",
        live="create schema old; create table old.t (id int); create view old.stranger as select id from old.t;",
    )
    seen = drift(p.database)
    assert [(str(c.id), str(c.was)) for c in seen.changes] == [("new", "old")]
    assert {str(id) for id in seen.extra} == {"new.stranger"}
    passed(propose(p.database))
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select count(*) from new.stranger") == [(0,)]


@pytest.mark.thorough
def test_ownership_follows_a_rename(project: Make) -> None:
    p = project(
        "create schema old; create table old.people (id int); create view old.names as select id from old.people;"
    )
    apply(p.database)
    p.declare(
        "-- reconciler: renamed_from old\ncreate schema new;\n"
        "-- reconciler: renamed_from people\ncreate table new.persons (id int);\n"
        "create view new.names as select id from new.persons;"
    )
    apply(p.database)
    owned = {("schema", "", "new"), ("table", "new", "persons"), ("view", "new", "names")}
    ours = "select kind, schema, name from reconciler.inventory"
    assert set(p.sql(ours)) == owned
    rollback(p.database)
    assert set(p.sql(ours)) == {("schema", "", "old"), ("table", "old", "people"), ("view", "old", "names")}
    apply(p.database)
    assert set(p.sql(ours)) == owned
    p.declare("create schema new; create table new.persons (id int);")
    (change,) = drift(p.database).changes
    assert (change.verb, str(change.id)) == ("drop", "new.names")


def test_what_was_not_ours_is_not_ours_under_another_name(project: Make) -> None:
    p = project(PERSONS, live=PEOPLE)
    apply(p.database)
    assert p.sql("select name from reconciler.inventory") == []


@pytest.mark.thorough
def test_a_chain_of_renames(project: Make) -> None:
    p = project(
        "-- reconciler: renamed_from a\ncreate table b (\n  x int,\n  z int, -- reconciler: renamed_from y\n"
        "  y int -- reconciler: renamed_from x1\n);\n-- reconciler: renamed_from b\ncreate table c (two int);",
        live="create table a (x int, y int, x1 int); create table b (two int); insert into a values (1, 2, 3); insert into b values (4)",
    )
    passed(propose(p.database))
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select x, z, y from b") == [(1, 2, 3)] and p.sql("select two from c") == [(4,)]
    p.declare("create view v as select 1 as one;", "more.sql")
    apply(p.database)  # the hints still stand, and are done
    assert p.sql("select x, z, y from b") == [(1, 2, 3)] and p.sql("select two from c") == [(4,)]
    rollback(p.database, to="0", allow={"all"})
    assert p.sql("select x, y, x1 from a") == [(1, 2, 3)] and p.sql("select two from b") == [(4,)]


def test_a_table_moves_into_another_schema(project: Make) -> None:
    p = project(
        "create schema s;\n-- reconciler: renamed_from public.people\ncreate table s.persons (id serial primary key, name text);"
        "create index on s.persons (name);",
        live="create schema s; create table people (id serial primary key, name text); create index on people (name);"
        " insert into people (name) values ('Ada')",
    )
    passed(propose(p.database))
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select id, name from s.persons") == [(1, "Ada")]
    rollback(p.database, allow={"all"})
    assert p.sql("select id, name from people") == [(1, "Ada")]


@pytest.mark.parametrize(
    ("declared", "live", "says"),
    [
        (
            "-- reconciler: renamed_from b\ncreate table a (id int);\n-- reconciler: renamed_from a\ncreate table b (x int);",
            "create table a (x int); create table b (id int)",
            "take each other's names",
        ),
        (
            "-- reconciler: renamed_from a\ncreate table b (id int);\ncreate table a (x int);",
            "create table a (id int)",
            "is declared as well",
        ),
        (
            "-- reconciler: value 'x' renamed_from 'y'\ncreate type t as enum ('a', 'b');",
            "create type t as enum ('y', 'b')",
            "it is not declared",
        ),
        (
            "-- reconciler: value 'x' renamed_from 'y'\ncreate type t as enum ('x', 'z');",
            "create type t as enum ('x', 'y')",
            "both exist",
        ),
        (
            "-- reconciler: renamed_from f\ncreate policy p on t; create table t (id int);",
            "create table t (id int); create policy f on t; create policy p on t using (true)",
            "both exist",
        ),
    ],
)
def test_a_rename_that_cannot_be_told_apart_is_refused(
    project: Make, declared: str, live: str, says: str
) -> None:
    p = project(declared, live=live)
    with pytest.raises(Stalled, match=says) as refused:
        propose(p.database)
    assert "all.sql:" in str(refused.value)


def test_renamed_and_changed_at_once(project: Make) -> None:
    p = project(
        """
        -- reconciler: renamed_from people
        create table persons (
          id bigint primary key,
          -- reconciler: renamed_from name
          full_name text not null default 'x',
          born date
        );
        create policy adults on persons using (born < '2000-01-01');
        create view old_ones as select full_name from persons where born is null;
        -- reconciler: value 'gone' renamed_from 'lost'
        -- reconciler: renamed_from state
        create type status as enum ('new', 'gone', 'back');
        -- reconciler: renamed_from shout
        create function louder(t text) returns text language sql as $$ select upper(t) || '!' $$;
        """,
        live=PEOPLE
        + "create type state as enum ('new', 'lost'); create index on people (name); alter table people add junk int;"
        " create function shout(t text) returns text language sql as $$ select upper(t) $$;",
    )
    proposed = propose(p.database)
    assert proposed.rehearsal is not None and proposed.rehearsal.residue == ()
    apply(p.database, allow={"all"})
    assert drift(p.database).extra == (ObjectId("view", "public", "names"),)
    assert drift(p.database).changes == ()
    assert p.sql("select full_name from persons") == [("Ada",)]
    rollback(p.database, allow={"all"})
    assert p.sql("select name from people") == [("Ada",)]


def test_a_view_takes_the_old_name_of_a_table(project: Make) -> None:
    """Run twice, the view is not taken for the table."""
    p = project(
        "-- reconciler: renamed_from people\ncreate table persons (id int primary key, name text);"
        " create view people as select * from persons;",
        live="create table people (id int primary key, name text); insert into people values (1, 'Ada')",
    )
    passed(propose(p.database))
    apply(p.database, allow={"all"})
    assert p.sql("select name from persons") == [("Ada",)]


def test_an_overload_keeps_its_name(project: Make) -> None:
    two = "create function {}(n int) returns int language sql as 'select n'; create function {}(n text, m int[]) returns text language sql as 'select n';"
    p = project(
        "create table t (id int, check (one(id) > 0));\n-- reconciler: renamed_from f\n"
        + two.format("one", "f"),
        live=two.format("f", "f") + "create table t (id int, check (f(id) > 0)); insert into t values (1)",
    )
    proposed = passed(propose(p.database))
    assert [s.sql.count("rename to one") for s in proposed.plan.up] == [1]
    apply(p.database)
    assert drift(p.database).changes == ()


def test_a_suggestion_stands_at_the_hazard_and_following_it_keeps_the_rows(project: Make) -> None:
    p = project(
        "create table people (\n  id int primary key,\n  full_name text not null default ''\n);",
        live="create table people (id int primary key, name text not null default ''); insert into people values (1, 'Ada')",
    )
    proposed = propose(p.database)
    (suggestion,) = proposed.plan.suggestions
    hint = "-- reconciler: renamed_from name"
    assert (suggestion.hint, suggestion.place.endswith("all.sql:3")) == (hint, True)
    (hazard,) = proposed.plan.hazards
    assert hazard.code is HazardCode.DELETES_DATA and str(suggestion) in hazard.consequence
    with pytest.raises(Stalled, match=r"looks like public\.people\.name renamed"):
        apply(p.database.model_copy(update={"removal": "immediate"}))
    p.declare(
        f"create table people (\n  id int primary key,\n  full_name text not null default '' {hint}\n);"
    )
    assert propose(p.database).plan.suggestions == ()
    apply(p.database)
    assert p.sql("select full_name from people") == [("Ada",)]


def test_what_lives_in_no_schema_and_what_few_people_have(project: Make) -> None:
    live = """
        create foreign data wrapper far; create server there foreign data wrapper far;
        create foreign table remote (id int, name text) server there;
        create conversion conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
        create text search dictionary words (template = simple);
        create operator family whole using btree;
        create operator class one_of for type int using btree as operator 1 < (int4, int4), operator 3 = (int4, int4),
          function 1 btint4cmp(int4, int4);
        create function fired() returns event_trigger language plpgsql as 'begin end';
        create event trigger watch on ddl_command_end execute function fired();
        alter event trigger watch disable;
    """
    p = project(
        """
        -- reconciler: renamed_from far
        create foreign data wrapper away;
        -- reconciler: renamed_from there
        create server over_there foreign data wrapper away;
        -- reconciler: renamed_from remote
        -- reconciler: column title renamed_from name
        create foreign table distant (id int, title text) server over_there;
        -- reconciler: renamed_from conv
        create conversion latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
        -- reconciler: renamed_from words
        create text search dictionary plain_words (template = simple);
        -- reconciler: renamed_from whole
        create operator family entire using btree;
        -- reconciler: renamed_from one_of
        create operator class any_of for type int using btree as operator 1 < (int4, int4), operator 3 = (int4, int4),
          function 1 btint4cmp(int4, int4);
        create function fired() returns event_trigger language plpgsql as 'begin end';
        -- reconciler: renamed_from watch
        create event trigger look on ddl_command_end execute function fired();
        alter event trigger look disable;
        """,
        live=live,
        prune=True,
    )
    proposed = propose(p.database)
    assert proposed.rehearsal is not None and proposed.rehearsal.residue == ()
    changed = {(c.id.kind, c.id.name) for c in proposed.plan.changes if c.was is not None}
    assert changed >= {
        ("foreign_data_wrapper", "away"), ("server", "over_there"), ("foreign_table", "distant"), ("column", "distant"),
        ("conversion", "latin"), ("text_search_dictionary", "plain_words"), ("operator_family", "entire"),
        ("operator_class", "any_of"), ("event_trigger", "look"),
    }  # fmt: skip
    apply(p.database, allow={"all"})
    assert drift(p.database).changes == ()


@pytest.mark.majors
def test_partitions_and_children_follow(project: Make) -> None:
    p = project(
        "-- reconciler: renamed_from events\n"
        "create table happenings (\n  at date not null,\n  title text, -- reconciler: renamed_from what\n  check (title <> '')\n)"
        " partition by range (at);\n-- reconciler: renamed_from events_1\n"
        "create table happenings_1 partition of happenings for values from ('2026-01-01') to ('2027-01-01');\n"
        "-- reconciler: renamed_from events_what\ncreate index by_title on happenings (title);\n"
        "create table base (\n  id int,\n  term text -- reconciler: renamed_from word\n);\n"
        "create table child (more int) inherits (base);",
        live="create table events (at date not null, what text, check (what <> '')) partition by range (at);"
        "create table events_1 partition of events for values from ('2026-01-01') to ('2027-01-01');"
        "create index events_what on events (what); create table base (id int, word text);"
        "create table child (more int) inherits (base); insert into events values ('2026-05-05', 'x');"
        "insert into child values (1, 'w', 2)",
    )
    passed(propose(p.database))
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select title from happenings_1") == [("x",)]
    assert p.sql("select term, more from child") == [("w", 2)]


def test_yaml_renames_too(project: Make) -> None:
    p = project(
        "", live="create type mood as enum ('sad', 'ok'); create table people (id int primary key, name text not null, m mood,"
        " constraint named check (name <> '')); create index by_name on people (name); insert into people values (1, 'Ada', 'ok')",
    )  # fmt: skip
    p.declare(
        """
        enums: {feeling: {renamed_from: mood, values: [sad, {value: fine, renamed_from: ok}]}}
        tables:
          persons:
            renamed_from: people
            columns:
              id: int primary key
              full_name: {type: text, nullable: false, renamed_from: name}
              m: feeling
            checks: {has_name: {condition: full_name <> '', renamed_from: named}}
            indexes: {persons_by_name: {columns: [full_name], renamed_from: by_name}}
        """,
        "all.yaml",
    )
    proposed = passed(propose(p.database))
    assert all(s.sql.startswith("do ") for s in proposed.plan.up)
    apply(p.database)
    assert drift(p.database).changes == ()
    assert p.sql("select full_name, m::text from persons") == [("Ada", "fine")]


def test_a_difference_says_which_hint_a_declaration_would_need(server: Server, tmp_path: Path) -> None:
    (tmp_path / "old.sql").write_text("create table t (id int, name text);")
    (tmp_path / "new.sql").write_text("create table t (id int, full_name text);")
    found = diff(str(tmp_path / "old.sql"), str(tmp_path / "new.sql"), where=server.url).plan
    says = "column public.t.full_name looks like public.t.name renamed; to keep its rows declare: renamed_from: name"
    assert [str(one) for one in found.suggestions] == [says]
    assert [h.consequence.endswith(f"But {says}.") for h in found.hazards] == [True]
    assert plan_document(found, None)["suggestions"][0]["hint"] == "renamed_from: name"
    assert says in "\n".join(line.plain for line in plan_lines(found, None))


def test_rows_lost_in_a_renamed_table_fail_the_rehearsal(database: Callable[..., Url]) -> None:
    old, new = database(), database()
    for url, sql in (
        (old, "create table a (id int primary key)"),
        (new, "create table b (id int primary key)"),
    ):
        with connect(url) as session:
            session.execute(sql)
    with connect(old) as one, connect(new) as other:
        before, after = catalog.read(one), catalog.read(other)
    moved = {ObjectId("table", "public", "a"): ObjectId("table", "public", "b"),
             ObjectId("column", "public", "a", "id"): ObjectId("column", "public", "b", "id")}  # fmt: skip
    up = (
        Statement("drop table if exists a", ""),
        Statement("create table if not exists b (id int primary key)", ""),
    )
    down = (
        Statement("drop table if exists b", ""),
        Statement("create table if not exists a (id int primary key)", ""),
    )
    found = rehearse(old, up, down, Expected(before, after, moved=moved))
    assert not found.passed and "table public.a" in found.residue[0]


@pytest.mark.thorough
def test_rows_are_asked_for_under_the_names_they_still_have(project: Make) -> None:
    live = (
        "create type mood as enum ('sad', 'ok'); create table people (id int primary key, m mood);"
        " insert into people values (1, 'ok')"
    )
    value = "-- reconciler: value 'fine' renamed_from 'ok'\n"
    table = "\n-- reconciler: renamed_from people\ncreate table persons (id int primary key, m mood, {});"
    p = project(
        value + "create type mood as enum ('sad', 'fine', 'glad');" + table.format("born date not null"),
        live=live,
    )
    with pytest.raises(Stalled, match="nothing says what they get"):
        propose(p.database)
    p.declare(value + "create type mood as enum ('fine', 'glad');" + table.format("born date"))
    passed(propose(p.database))  # no row is sad
    p.sql("insert into people values (2, 'sad')")
    with pytest.raises(Stalled, match="would lose: 'sad'"):
        propose(p.database)
    p.declare(value + "create type mood as enum ('sad', 'fine', 'glad');" + table.format("born date"))
    passed(propose(p.database))
    apply(p.database)
    assert p.sql("select id, m::text from persons order by 1") == [(1, "fine"), (2, "sad")]
