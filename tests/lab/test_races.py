"""Races inside unmodified triggers and functions: each fault is found, its schedule replays, and the mended form is clean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from reconciler.lab.explore import Limits, follow
from reconciler.lab.race import Kind, Track, explored, track
from reconciler.lab.values import LEVELS, Actor, Isolation, Race
from reconciler.pg import Url, connect

Database = Callable[..., Url]
TWICE = 20

COMPANIES = """
create table public.companies (id bigint generated always as identity primary key, name text not null);
create table public.intake (id bigint generated always as identity primary key, name text not null, company_id bigint references public.companies);
"""
RESOLVE = """
create function public.resolve() returns trigger language plpgsql as $$
begin
  select id into new.company_id from public.companies where name = new.name;
  if not found then
    {insert}
  end if;
  return new;
end $$;
create trigger resolve before insert on public.intake for each row execute function public.resolve();
"""
ONCE = "insert into public.companies (name) values (new.name) returning id into new.company_id;"
CONFLICT = """
    insert into public.companies (name) values (new.name) on conflict (name) do nothing returning id into new.company_id;
    if not found then
      select id into strict new.company_id from public.companies where name = new.name;
    end if;"""
COUNTERS = """
create table public.counters (id integer primary key, n integer not null);
insert into public.counters values (1, 0);
create table public.events (id bigint generated always as identity primary key);
create function public.count_it() returns trigger language plpgsql as $$
declare v integer;
begin
  {body}
  return null;
end $$;
create trigger count_it after insert on public.events for each row execute function public.count_it();
"""
MOVES = """
create table public.accounts (id integer primary key, balance integer not null);
insert into public.accounts values (1, 100), (2, 100);
create table public.moves (source integer, target integer);
create function public.move() returns trigger language plpgsql as $$
begin
  {body}
  return new;
end $$;
create trigger move before insert on public.moves for each row execute function public.move();
"""
STOCK = """
create table public.stock (item text primary key, left_over integer not null);
insert into public.stock values ('chair', 1);
create table public.orders (id bigint generated always as identity primary key, item text not null);
create function public.take() returns trigger language plpgsql as $$
declare v integer;
begin
  select left_over into v from public.stock where item = new.item{lock};
  if v < 1 then
    raise exception 'no % left', new.item using errcode = 'P0001';
  end if;
  update public.stock set left_over = left_over - 1 where item = new.item;
  return new;
end $$;
create trigger take before insert on public.orders for each row execute function public.take();
"""

SIGN_UP = ("insert into public.intake (name) values ('Acme')",)
EVENT = ("insert into public.events default values",)
ORDER = ("insert into public.orders (item) values ('chair')",)


@dataclass(frozen=True)
class Fault:
    """A schema with a fault, the same without it, and what is to be found at READ COMMITTED."""

    broken: str
    mended: str
    actors: tuple[tuple[str, ...], tuple[str, ...]]
    kind: Kind


FAULTS = {
    "no unique index": Fault(
        COMPANIES + RESOLVE.format(insert=ONCE),
        COMPANIES + "create unique index on public.companies (name);" + RESOLVE.format(insert=CONFLICT),
        (SIGN_UP, SIGN_UP),
        "anomaly",
    ),
    "select, then insert": Fault(
        COMPANIES + "create unique index on public.companies (name);" + RESOLVE.format(insert=ONCE),
        COMPANIES + "create unique index on public.companies (name);" + RESOLVE.format(insert=CONFLICT),
        (SIGN_UP, SIGN_UP),
        "failure",
    ),
    "a lost update": Fault(
        COUNTERS.format(
            body="select n into v from public.counters where id = 1; update public.counters set n = v + 1 where id = 1;"
        ),
        COUNTERS.format(body="update public.counters set n = n + 1 where id = 1;"),
        (EVENT, EVENT),
        "anomaly",
    ),
    "locks in another order": Fault(
        MOVES.format(
            body="update public.accounts set balance = balance - 1 where id = new.source;"
            " update public.accounts set balance = balance + 1 where id = new.target;"
        ),
        MOVES.format(
            body="perform from public.accounts where id in (new.source, new.target) order by id for update;"
            " update public.accounts set balance = balance - 1 where id = new.source;"
            " update public.accounts set balance = balance + 1 where id = new.target;"
        ),
        (("insert into public.moves values (1, 2)",), ("insert into public.moves values (2, 1)",)),
        "deadlock",
    ),
    "FOR UPDATE is missing": Fault(
        STOCK.format(lock=""), STOCK.format(lock=" for update"), (ORDER, ORDER), "anomaly"
    ),
}


def race(actors: tuple[tuple[str, ...], ...], level: Isolation = "read committed") -> Race:
    return Race("a race", tuple(Actor(f"session {n}", one) for n, one in enumerate(actors, start=1)), level)


def prepared(database: Database, schema: str) -> Url:
    url = database()
    with connect(url) as session:
        session.execute(schema)
    return url


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_found_and_replays(database: Database, name: str) -> None:
    fault = FAULTS[name]
    found = explored(prepared(database, fault.broken), race(fault.actors)).worst
    assert found.kind == fault.kind, found
    if fault.kind == "deadlock":
        assert "transaction 1 waits for a row of public.accounts" in found.says
        assert (
            "transaction 2 came by: insert into public.moves values (2, 1), then UPDATE on public.accounts"
            in found.says
        )
    with track(prepared(database, fault.broken), race(fault.actors)) as on:
        again = [_once_more(on, found.ran.name) for _ in range(TWICE)]
    assert again == [(found.kind, found.ran.steps)] * TWICE


def _once_more(on: Track, name: str) -> tuple[Kind, object]:
    judged = on.judge(on.play(follow([int(digit) - 1 for digit in name])))
    return judged.kind, judged.ran.steps


def test_schedules_drawn_from_a_seed_are_the_same_ones(database: Database) -> None:
    fault = FAULTS["no unique index"]
    drawn = Limits(schedules=1, drawn=12, seed=7)
    found = [
        [
            judged.ran.name
            for judged in explored(prepared(database, fault.broken), race(fault.actors), limits=drawn).judged
        ]
        for _ in range(2)
    ]
    assert found[0] == found[1] and len(found[0]) > 2


def test_three_sign_ups_make_no_more_than_one_company(database: Database) -> None:
    fault = FAULTS["no unique index"]
    wide = Limits(schedules=25, preemptions=3)
    three = race((SIGN_UP, SIGN_UP, SIGN_UP))
    assert explored(prepared(database, fault.broken), three, limits=wide).worst.kind == "anomaly"
    found = explored(prepared(database, fault.mended), three, limits=wide)
    assert found.worst.kind == "serial" and found.left > 0, found.worst


def test_what_is_written_only_when_two_meet_is_an_anomaly(database: Database) -> None:
    schema = """
    create table public.names (name text primary key);
    create table public.lost (name text);
    create function public.add(w text) returns void language plpgsql as $$ begin
      perform from public.names where name = w;
      if not found then
        begin insert into public.names values (w); exception when unique_violation then insert into public.lost values (w); end;
      end if;
    end $$;"""
    calls = (("select public.add('x')",), ("select public.add('x')",))
    found = explored(prepared(database, schema), race(calls))
    assert found.worst.kind == "anomaly" and "public.lost" in found.worst.says, found.worst
    assert found.count("serial") > 0


def test_what_passes_over_the_lock_of_one_that_must_run_again_is_no_anomaly(database: Database) -> None:
    schema = """
    create table public.jobs (id integer primary key, state text not null default 'ready', worker text);
    insert into public.jobs (id) values (1), (2);
    create function public.claim(who text) returns integer language plpgsql as $$
    declare found integer;
    begin
      select id into found from public.jobs where state = 'ready' order by id + 0 limit 1 for update skip locked;
      update public.jobs set state = 'running', worker = who where id = found;
      return found;
    end $$;"""
    calls = (("select public.claim('a')",), ("select public.claim('b')",))
    found = explored(prepared(database, schema), race(calls, "serializable"))
    assert found.worst.kind == "retry" and found.count("serial") == 2, found.worst


def test_chance_is_no_anomaly_and_a_moment_that_was_written_is_no_clock(database: Database) -> None:
    dice = "create table public.dice (n double precision);"
    found = explored(prepared(database, dice), race((("insert into public.dice values (random())",),) * 2))
    assert found.worst.kind == "unclear", found.worst
    due = "create table public.due (id integer primary key, at timestamptz); insert into public.due values (1, null);"
    late = """create function public.once(w timestamptz) returns void language plpgsql as $$ begin
      perform from public.due where at is not null;
      if not found then update public.due set at = w; end if; end $$;"""
    calls = tuple((f"select public.once('20{n}-01-01 00:00+00')",) for n in (90, 91))
    stamped = prepared(database, due + late)
    with track(stamped, race(calls)) as on:
        assert len(on._orders((0, 1))) == 2


def test_a_deadlock_is_foreseen_before_any_schedule(database: Database) -> None:
    fault = FAULTS["locks in another order"]
    with track(prepared(database, fault.broken), race(fault.actors)) as on:
        (cycle,) = on.cycles()
        assert (cycle.first, cycle.second) == (0, 1)
        assert {cycle.one, cycle.other} == {"public.accounts (1)", "public.accounts (2)"}
    with track(prepared(database, fault.mended), race(fault.actors)) as on:
        assert on.cycles() == ()
    # what a foreign key holds does not keep another column from being changed
    nodes = (
        "create table public.nodes (id integer primary key, above integer references public.nodes (id), name text);"
        "insert into public.nodes values (1), (2)"
    )
    moves = tuple(
        (
            f"update public.nodes set name = 'x' where id = {n}",
            f"update public.nodes set above = {3 - n} where id = {n}",
        )
        for n in (1, 2)
    )
    with track(prepared(database, nodes), race(moves)) as on:
        assert on.cycles() == ()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FAULTS)
def test_the_mended_form_is_clean(database: Database, name: str, level: Isolation) -> None:
    fault = FAULTS[name]
    found = explored(prepared(database, fault.mended), race(fault.actors, level))
    assert len(found.judged) > 5
    assert (
        found.worst.kind == "serial" if level == "read committed" else found.worst.kind in ("serial", "retry")
    )
