"""Migrations written by hand, of several steps: what a person writes for a busy table.

Effects that are not idempotent stand inside transactions; what stands outside can run twice. A statement that begins with `|`
stands outside transactions.
"""

from __future__ import annotations

from dataclasses import dataclass

from declared import ROWS, T
from writers import Write

from reconciler.model import Migration, Statement

NAP = "select pg_catalog.pg_sleep(0.03)"
INDEX = "|create index concurrently if not exists t_note on public.t (note)"
NO_INDEX = "|drop index concurrently if exists public.t_note"
COUNTED = "update public.t set n = n + 1 where id < 1000000"
CLEARED = """do $$ begin
  if exists (select from pg_catalog.pg_index where indexrelid = pg_catalog.to_regclass('public.{0}') and not indisvalid) then
    drop index public.{0};
  end if;
end $$"""
BATCHES = """|do $$
declare
  low int := (select coalesce(min(id), 0) from public.t);
begin
  while low is not null loop
    update public.t set {done} where id >= low and id < low + 20 and {todo};
    commit;
    low := (select min(id) from public.t where id >= low + 20);
  end loop;
end $$"""


@dataclass(frozen=True)
class Script:
    """`kept` says that UP and DOWN give every row back, `again` that psql can run the file again from its
    beginning (a person who builds an index concurrently has to drop an invalid one first: then it can), `first` that the
    database never had a migration before.
    """

    name: str
    live: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    writes: tuple[Write, ...] = (Write("t"),)
    unsteady: frozenset[str] = frozenset()
    kept: bool = True
    again: bool = True
    first: bool = False

    def migration(self, version: str) -> Migration:
        return Migration(version, "by_hand", tuple(map(statement, self.up)), tuple(map(statement, self.down)))


def statement(sql: str) -> Statement:
    return Statement(sql.removeprefix("|"), "by hand", transactional=not sql.startswith("|"))


WITH_N = "create table t (id int primary key, note text, n int not null default 0);\n" + ROWS

SCRIPTS = (
    Script("steps with effects", WITH_N, (COUNTED, NAP, INDEX, COUNTED, f"|{NAP}", COUNTED),
           (NO_INDEX, COUNTED.replace("+", "-"), f"|{NAP}", COUNTED.replace("+ 1", "- 2")), again=False),
    Script("backfill in batches", T + ROWS,
           ("alter table public.t add column if not exists size int",
            BATCHES.format(done="size = length(note)", todo="size is null"),
            "alter table public.t alter column size set default 0"),
           ("alter table public.t drop column if exists size",)),
    Script("backfill and its way back", WITH_N.replace("n int not null default 0", "n int"),
           (BATCHES.format(done="n = 1", todo="n is null and id < 1000000"), "comment on table public.t is 'filled'"),
           (BATCHES.format(done="n = null", todo="n = 1"), "comment on table public.t is null")),
    Script("unique through an index", T + ROWS,
           ("|create unique index concurrently if not exists t_two on public.t (id, note)",
            "do $$ begin if not exists (select from pg_catalog.pg_constraint where conname = 't_two') then"
            " alter table public.t add constraint t_two unique using index t_two; end if; end $$"),
           ("alter table public.t drop constraint if exists t_two", "|drop index concurrently if exists public.t_two"), again=False),
    Script("check that is validated later", T + ROWS,
           ("alter table public.t drop constraint if exists c, add constraint c check (id > 0) not valid", f"|{NAP}",
            "alter table public.t validate constraint c", "|vacuum (analyze) public.t"),
           ("alter table public.t drop constraint if exists c",)),
    Script("value that is used at once", "create type state as enum ('a');\ncreate table t (id int primary key, note text, state state default 'a');\n" + ROWS,
           ("|alter type public.state add value if not exists 'b'", "alter table public.t alter column state set default 'b'", NAP,
            "update public.t set state = 'b' where id % 2 = 0 and id < 1000000"),
           ("update public.t set state = 'a' where id < 1000000", "alter table public.t alter column state set default 'a'"), kept=False),
    Script("the first of a database", T + ROWS, ("create table if not exists public.u (id int)", f"|{NAP}", "create index if not exists u_id on public.u (id)"),
           ("drop table if exists public.u",), first=True),
    Script("index made anew", T + "create index t_note on t (note);\n" + ROWS,
           (CLEARED.format("t_new"), "|create index concurrently if not exists t_new on public.t (note, id)",
            "drop index if exists public.t_note", "alter index if exists public.t_new rename to t_note"),
           (CLEARED.format("t_old"), "|create index concurrently if not exists t_old on public.t (note)",
            "drop index if exists public.t_note", "alter index if exists public.t_old rename to t_note")),
    Script("settings of the session", T + "create schema app;\n" + ROWS,
           ("set search_path = app", "create table if not exists side (id int)", f"|{NAP}", "insert into side values (1)", f"|{NAP}",
            "create index if not exists side_id on side (id)"),
           ("set search_path = app", "drop index if exists side_id", f"|{NAP}", "drop table if exists side"), again=False),
    Script("indexes at once", WITH_N,
           (*(f"|create index concurrently if not exists t_{x} on public.t ({x})" for x in ("note", "n")), COUNTED),
           (COUNTED.replace("+", "-"), *(f"|drop index concurrently if exists public.t_{x}" for x in ("n", "note"))), again=False),
)  # fmt: skip
