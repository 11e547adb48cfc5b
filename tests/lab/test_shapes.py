"""Rules about several rows together, each without a lock and (where it says `held`) with one: the rows are brought to where the rule decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.engine import testing
from reconciler.engine.subject import of_source
from reconciler.engine.testing import Wanted
from reconciler.lab.explore import Limits
from reconciler.settings import Database

CREW = """
create table public.{name} (team_id bigint not null references public.teams (id), person text not null, role text not null default 'hand', primary key (team_id, person));
create function public.f_{name}() returns trigger language plpgsql as $$
begin
  {lock}
  if old.role = 'captain' and (tg_op = 'DELETE' or new.role <> 'captain') and not exists (
    select from public.{name} as c where c.team_id = old.team_id and c.person <> old.person and c.role = 'captain') then
    raise exception '{name}: a team needs a captain';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
create trigger t before update or delete on public.{name} for each row execute function public.f_{name}();
"""
STOCK = """
create table public.{name}_baskets (id bigint primary key, state text not null default 'packed' check (state in ('packed', 'open')));
create table public.{name}_stock (id bigint primary key, pieces integer not null check (pieces >= 0), taken integer not null default 0);
create table public.{name} (
  basket_id bigint not null references public.{name}_baskets (id), line integer not null, stock_id bigint not null references public.{name}_stock (id),
  pieces integer not null check (pieces > 0), primary key (basket_id, line));
create function public.f_{name}() returns trigger language plpgsql as $$
begin
  if (select b.state from public.{name}_baskets as b where b.id = new.basket_id) <> 'open' then
    raise exception '{name}: the basket is packed';
  end if;
  if (select s.pieces - s.taken from public.{name}_stock as s where s.id = new.stock_id {lock}) < new.pieces then
    raise exception '{name}: not enough pieces';
  end if;
  update public.{name}_stock as s set taken = s.taken + new.pieces where s.id = new.stock_id;
  return null;
end $$;
create trigger t after insert on public.{name} for each row execute function public.f_{name}();
"""
SCHEMA = (
    "create table public.teams (id bigint primary key, name text not null);"
    + CREW.format(name="crew", lock="")
    + CREW.format(
        name="held_crew", lock="perform from public.teams as t where t.id = old.team_id for no key update;"
    )
    + STOCK.format(name="lines", lock="")
    + STOCK.format(name="held_lines", lock="for no key update")
    + """
create table public.guards (person text not null, night date not null, primary key (person, night));
create function public.guarded() returns trigger language plpgsql as $$
begin
  if not exists (select from public.guards as g where g.night = old.night and g.person <> old.person) then
    raise exception 'guards: nobody would be there on %', old.night;
  end if;
  return old;
end $$;
create trigger t before delete on public.guards for each row execute function public.guarded();

create table public.folders (id bigint primary key, parent_id bigint references public.folders (id), name text);
create function public.acyclic() returns trigger language plpgsql as $$
begin
  if exists (with recursive up as (select f.id, f.parent_id from public.folders as f where f.id = new.parent_id
    union select f.id, f.parent_id from public.folders as f join up on f.id = up.parent_id) select from up where up.id = new.id) then
    raise exception 'folders: in itself';
  end if;
  return new;
end $$;
create trigger t before update of parent_id on public.folders for each row execute function public.acyclic();

create table public.bills (id bigint generated always as identity primary key, number integer, what text);
create function public.numbered() returns trigger language plpgsql as $$
begin
  if new.number is null then select coalesce(max(b.number), 0) + 1 into new.number from public.bills as b; end if;
  return new;
end $$;
create trigger t before insert on public.bills for each row execute function public.numbered();

create table public.purses (code text primary key, cents numeric not null default 0);
create table public.entries (id bigint primary key, what text);
create table public.postings (entry_id bigint not null references public.entries (id), line integer not null, code text not null references public.purses (code),
  cents numeric not null check (cents <> 0), primary key (entry_id, line));
create function public.balanced() returns trigger language plpgsql as $$
begin
  if (select sum(p.cents) from public.postings as p where p.entry_id = new.entry_id) <> 0 then raise exception 'postings: off'; end if;
  return null;
end $$;
create constraint trigger t after insert on public.postings deferrable initially deferred for each row execute function public.balanced();
create function public.moved() returns trigger language plpgsql as $$
declare v_cents numeric;
begin
  select p.cents + new.cents into v_cents from public.purses as p where p.code = new.code;
  update public.purses as p set cents = v_cents where p.code = new.code;
  return null;
end $$;
create trigger u after insert on public.postings for each row execute function public.moved();

create table public.grants (id bigint generated always as identity primary key, fund_id bigint not null references public.teams (id), amount numeric not null);
create function public.capped() returns trigger language plpgsql as $$
begin
  if (select sum(g.amount) from public.grants as g where g.fund_id = new.fund_id) + new.amount > 50000 then raise exception 'grants: too much'; end if;
  return new;
end $$;
create trigger t before insert on public.grants for each row execute function public.capped();
"""
)
WRONG = {
    "public.crew/two-updates-of-role-from-captain",
    "public.lines/two-inserts-at-the-limit-of-pieces-of-lines_stock", "public.guards/two-deletes-of-rows-alike-but-for-person",
    "public.folders/two-moves-below-each-other", "public.bills/two-inserts-without-number", "public.grants/two-inserts-of-amount-30000",
    "public.postings/two-inserts-in-balance",
}  # fmt: skip
RIGHT = {
    "public.held_crew/two-updates-of-role-from-captain",
    "public.held_lines/two-inserts-at-the-limit-of-pieces-of-held_lines_stock",
}  # fmt: skip


QUICK = {
    "public.crew/two-updates-of-role-from-captain", "public.lines/two-inserts-at-the-limit-of-pieces-of-lines_stock",
    "public.held_lines/two-inserts-at-the-limit-of-pieces-of-held_lines_stock", "public.guards/two-deletes-of-rows-alike-but-for-person",
}  # fmt: skip


def played(tmp_path: Path, wanted: Wanted) -> dict[str, str]:
    file = tmp_path / "schema.sql"
    file.write_text(SCHEMA)
    with of_source(str(file)) as subject:
        return {case.name: case.verdict for case in testing.tested(subject, Database(name="x"), wanted).cases}


@dataclass(frozen=True, slots=True)
class Some(Wanted):
    """These races alone."""

    only: frozenset[str] = frozenset()

    def matches(self, name: str) -> bool:
        return name in self.only


@pytest.mark.parametrize(
    "names", [QUICK, pytest.param((WRONG | RIGHT) - QUICK, marks=pytest.mark.thorough)], ids=["few", "rest"]
)
def test_rules_about_several_rows_are_tried_where_they_decide(tmp_path: Path, names: set[str]) -> None:
    few = Limits(schedules=12, preemptions=2)
    wanted = Some("few", levels=("read committed",), limits=few, only=frozenset(names))
    wrong, right = dict.fromkeys(WRONG & names, "failed"), dict.fromkeys(RIGHT & names, "passed")
    assert played(tmp_path, wanted) == wrong | right


@pytest.mark.thorough
def test_what_the_triggers_ask_for_is_put_there(tmp_path: Path) -> None:
    """The basket stands there packed, and holds all there is: nothing could be added to it."""
    trials = played(tmp_path, Wanted("public.held_lines.t", levels=("read committed",), bulk=50))
    assert trials["public.held_lines.t/insert: normal, serializable"] == "passed"
