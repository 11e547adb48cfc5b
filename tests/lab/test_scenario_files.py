"""Scenarios that somebody wrote: without a role they act as the superuser, and one that cannot run is no success."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.present.test import test_lines as lines_of
from reconciler.engine import testing
from reconciler.engine.subject import of_source
from reconciler.engine.testing import Wanted
from reconciler.settings import Database

SCHEMA = "create table public.seats (n integer not null);\n"
SCENARIOS = """
actors: {app: {}, nobody: {role: nobody_has_made_it}}
invariants: {one seat: select from public.seats having count(*) > 1}
scenarios:
  one takes it:
    steps: [{as: app, run: insert into public.seats values (1), adds: {public.seats: 1}}]
  two take it:
    levels: [read committed]
    race: [{as: app, run: insert into public.seats values (1)}, {as: app, run: insert into public.seats values (2)}]
  nobody can:
    levels: [read committed]
    race: [{as: app, run: insert into public.seats values (1)}, {as: nobody, run: insert into public.seats values (2)}]
"""


def test_what_is_written_to_be_tried_is_tried_or_fails(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "scenarios.yaml").write_text(SCENARIOS)
    with of_source(str(tmp_path)) as subject:
        wanted = Wanted("*o*", levels=("read committed",))
        report = testing.tested(subject, Database(name="x"), wanted)
    found = {case.name: (case.verdict, case.found) for case in report.cases}
    assert found == {
        "one takes it": ("passed", ""),
        "two take it": ("failed", "invariant"),
        "nobody can": ("failed", "unexpected"),
    }
    assert any("cannot run" in case.says and "nobody_has_made_it" in case.says for case in report.cases)
    text = "\n".join(line.plain for line in lines_of(report, "a.sql"))
    assert "again: reconciler test a.sql --race 'two take it' --level read-committed --schedule" in text


CHAIN = """
create table public.docs (id bigint generated always as identity primary key, title text not null);
create table public.heads (only_one boolean primary key default true check (only_one), seq bigint not null);
create table public.chain (seq bigint not null, what text not null);
create function public.append() returns trigger language plpgsql as $$
declare v_seq bigint;
begin
  insert into public.heads as h (seq) values ((select coalesce(max(seq), 0) + 1 from public.chain))
    on conflict (only_one) do update set seq = h.seq + 1 returning seq into v_seq;
  insert into public.chain values (v_seq, new.title);
  return null;
end $$;
-- reconciler: invariant no fork: select seq from public.chain group by seq having count(*) > 1
create trigger append after insert on public.docs for each row execute function public.append();
"""


def test_what_breaks_an_invariant_by_itself_says_nothing_of_triggers(tmp_path: Path) -> None:
    """The rows that a trigger reads are changed by hand in some races, also into what no trigger would write."""
    file = tmp_path / "schema.sql"
    file.write_text(CHAIN)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.docs/insert-against-update-of-chain", levels=("read committed",))
        (case,) = testing.tested(subject, Database(name="x"), wanted).cases
    assert case.found != "invariant", case


PARTS = """
create table public.events (id integer not null, month date not null, n integer not null, primary key (id, month)) partition by range (month);
create table public.events_all partition of public.events default;
create function public.same() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger same before update on public.events for each row execute function public.same();
"""


def test_a_deadlock_in_a_partition_is_one_of_its_table(tmp_path: Path) -> None:
    """Two clients that update two rows in opposite order are to blame themselves, in a partition, too."""
    file = tmp_path / "schema.sql"
    file.write_text(PARTS)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.events/updates-in-opposite-order", levels=("read committed",))
        (case,) = testing.tested(subject, Database(name="x"), wanted).cases
    assert (case.verdict, case.found) == ("passed", "deadlock"), case


JOINED = """
create table public.posts (id integer primary key, likes bigint not null default 0);
create table public.people (id integer primary key);
create table public.likes (post integer not null references public.posts (id), who integer not null references public.people (id), primary key (post, who));
create function public.recount() returns trigger language plpgsql as $$
begin
  update public.posts as p set likes = (select count(*) from public.likes as l where l.post = p.id) where p.id = new.post;
  return null;
end $$;
create trigger recount after insert on public.likes for each row execute function public.recount();
"""


def test_two_rows_that_join_others_meet_under_one_of_them(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(JOINED)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.likes/two-inserts-under-one-posts", levels=("read committed",))
        (case,) = testing.tested(subject, Database(name="x"), wanted).cases
    assert (case.verdict, case.found) == ("failed", "anomaly"), case


MARKED = """
create table public.people (id integer primary key);
create table public.addresses (id integer primary key, person integer not null references public.people (id), line text, main boolean not null default false);
create function public.one_main() returns trigger language plpgsql as $$
begin
  if new.main then
    update public.addresses set main = false where person = new.person and main and id <> new.id;
  end if;
  return new;
end $$;
create trigger one_main before insert or update on public.addresses for each row execute function public.one_main();
"""


def test_two_rows_get_a_mark_of_which_the_trigger_keeps_one(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(MARKED)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.addresses/*main", levels=("read committed",))
        found = testing.tested(subject, Database(name="x"), wanted).cases
    assert [(case.name.rpartition("/")[2], case.found) for case in found] == [
        ("two-inserts-with-main", "anomaly"),
        ("two-updates-of-main", "anomaly"),
    ]


STEPS = """
create table public.orders (id integer primary key, state text not null default 'open' check (state in ('open', 'paid', 'shipped')),
  pieces bigint not null default 0);
create table public.lines (id integer primary key, order_id integer not null references public.orders (id), qty integer not null);
create function public.step() returns trigger language plpgsql as $$
begin
  if new.state = 'shipped' and old.state <> 'paid' then raise exception 'order % is not paid', old.id; end if;
  if new.state = 'shipped' then new.pieces := (select coalesce(sum(l.qty), 0) from public.lines as l where l.order_id = new.id); end if;
  return new;
end $$;
create trigger step before update of state on public.orders for each row execute function public.step();
create function public.still_open() returns trigger language plpgsql as $$
begin
  if (select state from public.orders where id = new.order_id{}) = 'shipped' then raise exception 'order % is shipped', new.order_id; end if;
  return new;
end $$;
create trigger still_open before insert on public.lines for each row execute function public.still_open();
"""


@pytest.mark.parametrize(("lock", "found"), [("", "anomaly"), (" for share", "serial")])
def test_a_row_goes_in_while_its_parent_comes_to_the_state_that_forbids_it(
    tmp_path: Path, lock: str, found: str
) -> None:
    """From the state that may come to it, which is none of the made-up rows'."""
    file = tmp_path / "schema.sql"
    file.write_text(STEPS.format(lock))
    with of_source(str(file)) as subject:
        wanted = Wanted("public.lines/insert-against-state-shipped-of-orders", levels=("read committed",))
        (case,) = testing.tested(subject, Database(name="x"), wanted).cases
    assert case.found == found, case
