"""Renames by hint: every kind, with its rows, on every major; what depends on a renamed object is not made anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.engine.applying import apply, rollback
from reconciler.engine.drift import drift
from reconciler.engine.planning import Proposal, propose
from reconciler.model import HazardCode

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
