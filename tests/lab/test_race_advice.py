"""Each finding names the fix that fits; where that is mechanical, a change whose rerun shows the race gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_races import FAULTS, prepared, race

from reconciler.engine import testing
from reconciler.engine.subject import of_source
from reconciler.engine.testing import Wanted
from reconciler.lab.advice import advised
from reconciler.lab.explore import USUAL
from reconciler.lab.race import explored
from reconciler.pg import Url, connect
from reconciler.settings import Database

WANTED = {
    "no unique index": ("unique + on conflict", "advisory lock"),
    "select, then insert": ("unique + on conflict", "advisory lock"),
    "a lost update": ("atomic update", "FOR UPDATE"),
    "locks in another order": ("ordered locking", "in one order, by id"),
    "FOR UPDATE is missing": ("select for update", "FOR UPDATE"),
}


QUICK = ("a lost update", "locks in another order")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.races) for name in WANTED]
)
def test_the_fix_fits_and_a_rerun_shows_it(database: Callable[..., Url], name: str) -> None:
    fault = FAULTS[name]
    broken = prepared(database, fault.broken)

    @contextmanager
    def fresh() -> Iterator[Url]:
        yield database(template=broken)

    wanted = race(fault.actors)
    worst = explored(database(template=broken), wanted, enough=lambda one: one.kind == fault.kind).worst
    found = advised(fresh, wanted, worst, USUAL)
    fix, says = WANTED[name]
    assert found.fix == fix, found
    assert says in found.says and "as one after another" in found.shown, found
    mended = database(template=broken)
    with connect(mended) as session:
        session.execute(found.script.encode())
    assert explored(mended, wanted).worst.kind in ("serial", "retry")


BOOKED = """
create table public.rooms (id bigint generated always as identity primary key, name text not null);
create table public.bookings (id bigint generated always as identity primary key, room_id bigint not null references public.rooms (id),
  starts date not null, ends date not null, check (starts < ends));
create function public.no_overlap() returns trigger language plpgsql as $$
begin
  if exists (select from public.bookings as b where b.room_id = new.room_id and b.starts < new.ends and b.ends > new.starts) then
    raise exception 'room % is booked', new.room_id using errcode = 'exclusion_violation';
  end if;
  return new;
end $$;
-- reconciler: invariant no two overlap: select from public.bookings as a join public.bookings as b on a.room_id = b.room_id and a.id < b.id and a.starts < b.ends and a.ends > b.starts
create trigger no_overlap before insert on public.bookings for each row execute function public.no_overlap();
"""


def test_a_body_that_begins_with_a_condition_is_mended_too(tmp_path: Path) -> None:
    """The lock goes before the IF, not into its condition; and what a broken invariant is about is read from the nearest serial order."""
    file = tmp_path / "schema.sql"
    file.write_text(BOOKED)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.bookings/two-inserts-of-one-key", levels=("read committed",))
        (case,) = testing.tested(subject, Database(name="x"), wanted).cases
    assert (case.verdict, case.found) == ("failed", "invariant"), case
    assert case.advice is not None and case.advice.fix == "select for update", case.advice
    assert "as one after another" in case.advice.shown and "pg_advisory_xact_lock" in case.advice.script
