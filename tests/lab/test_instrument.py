"""Two reads with no write between them: parted only by a stop put into the body on the copy, and said to be so."""

from __future__ import annotations

from pathlib import Path

from reconciler.engine import testing
from reconciler.engine.subject import of_source
from reconciler.engine.testing import Wanted
from reconciler.lab.instrument import places
from reconciler.lab.remedies import Called
from reconciler.settings import Database

TWICE = """
create table public.limits (id integer primary key, low integer not null, high integer not null);
create table public.uses (id bigint generated always as identity primary key, low integer, high integer, n integer not null);
create function public.look() returns trigger language plpgsql as $$
begin
  select l.low into new.low from public.limits as l order by l.id limit 1;
  select l.high into new.high from public.limits as l order by l.id limit 1;
  return new;
end $$;
create trigger look before insert on public.uses for each row execute function public.look();
"""
RACE = "public.uses/insert-against-update-of-limits"


def test_half_of_a_change_is_seen_between_two_reads(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(TWICE)
    with of_source(str(file)) as subject:
        wanted = Wanted(name=RACE, levels=("read committed",))
        (case,) = testing.tested(subject, Database(name="x"), wanted).cases
        assert (case.verdict, case.found, case.instrumented) == ("failed", "anomaly", True), case
        assert case.schedule.startswith("i") and "stop put between two reads" in case.says
        (again,) = testing.tested(
            subject, Database(name="x"), Wanted(RACE, case.schedule, ("read committed",))
        ).cases
        assert (again.found, again.schedule) == ("anomaly", case.schedule)

        def interrupt(stage: str) -> None:
            if stage.startswith("race 2 of"):
                raise KeyboardInterrupt

        wanted = Wanted("public.uses/*", levels=("read committed",))
        partial = testing.tested(subject, Database(name="x"), wanted, told=interrupt)
        assert len(partial.cases) == 1 and partial.partial.startswith("interrupted (race 2 of")


def test_a_write_between_two_reads_parts_them_already() -> None:
    def stops(text: str) -> int:
        return len(places(Called("f", f"begin {text} end", "")))

    assert stops("select 1 from a into x; select 2 from b into y;") == 1
    assert stops("select 1 from a into x; update c set n = 1; select 2 from b into y;") == 0
    assert stops("perform from a; if x then perform from b; end if; return new;") == 1
    assert stops("select 1 from a into x; insert into c select n from b;") == 0
    assert stops("perform from a; if exists (select from b) then return null; end if; return new;") == 1
    assert stops("perform from a; <<again>> while exists (select from b) loop x := x + 1; end loop;") == 1
    assert stops("perform from a; if x then null; elsif exists (select from b) then null; end if;") == 0
