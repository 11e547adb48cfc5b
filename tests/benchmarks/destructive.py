"""The destructive verbs that the quarantine benchmark measures: two states, rows, what is written meanwhile, what must be the same.

Pure text. A verb is one line of the table it prints; `{rows}` is the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """`old` and `new` are the states, `fill` makes the rows, `meanwhile` is written after the UP. `rows` are queries whose results
    must be the same before the UP and after the DOWN; `new_rows` the same after the UP with `meanwhile`, and after another UP.
    `large` are the tables of `public` that hold the rows; `becomes` says of (enum, value) that goes which one takes its place."""

    name: str
    old: str
    new: str
    fill: str
    rows: tuple[str, ...] = ()
    meanwhile: str = "select 1"
    new_rows: tuple[str, ...] = ()
    large: tuple[str, ...] = ("bills",)
    becomes: tuple[tuple[str, str, str], ...] = ()


FIRMS = "create table firms (id integer primary key, name text);"
SOME_FIRMS = "insert into firms select n, 'firm ' || n from generate_series(1, 100) as n;"
BILLS = (
    FIRMS
    + """
create type mood as enum ('sad', 'ok');
create function touched() returns trigger language plpgsql as $$ begin new.note := coalesce(new.note, 'x'); return new; end $$;
create table bills (
  id bigint generated always as identity primary key, num serial, firm integer not null references firms on delete cascade,
  total numeric(12,2) not null check (total >= 0), state mood not null default 'ok', code text not null unique, note text
);
create index bills_firm on bills (firm, total) where total > 10;
create statistics bills_spread on firm, total from bills;
create trigger touched before insert or update on bills for each row execute function touched();
alter table bills enable row level security; alter table bills force row level security;
create policy mine on bills using (firm = 1);
grant select on bills to public; grant update (note) on bills to public;
comment on table bills is 'what is owed';
create publication feed for table bills;
"""
)
SOME_BILLS = """
insert into bills (firm, total, code, note) select 1 + n % 100, n % 1000, 'c' || n, 'note ' || n from generate_series(1, {rows}) as n;
"""
DAYS = """
create table days (id bigint not null, firm integer not null references firms, day date not null, primary key (id, day, firm))
  partition by range (day);
create index days_firm on days (firm);
create table days_1 partition of days for values from ('2026-01-01') to ('2026-02-01');
create table days_3 partition of days for values from ('2026-03-01') to ('2026-04-01');
"""
DAYS_2 = "create table days_2 partition of days for values from ('2026-02-01') to ('2026-03-01') partition by list (firm);"
DAYS_2 += "create table days_2a partition of days_2 default;"
SOME_DAYS = """
insert into days select n, 1 + n % 100, '2026-01-05' from generate_series(1, {rows}) as n;
insert into days select n, 1 + n % 100, '2026-03-05' from generate_series(1, 10) as n;
"""

TABLES = (
    Verb(
        "DROP TABLE, with everything on it", BILLS, FIRMS, SOME_FIRMS + SOME_BILLS, ("table bills", "select * from firms where id <= 100"),
        meanwhile="insert into firms values (1000, 'later')",
    ),
    Verb(
        "DROP TABLE that others point to",
        BILLS + "create table lines (id bigint primary key, bill bigint references bills);",
        FIRMS + "create table lines (id bigint primary key, bill bigint);",
        SOME_FIRMS + SOME_BILLS + "insert into lines select id, id from bills;",
        ("table bills", "select * from lines where bill is not null"),
        meanwhile="insert into lines values (-1, null)",
        large=("bills", "lines"),
    ),
    Verb(
        "DROP TABLE with its partitions", FIRMS + DAYS + DAYS_2, FIRMS, SOME_FIRMS + SOME_DAYS,
        ("select tableoid::regclass, * from days",), meanwhile="insert into firms values (1000, 'later')",
        large=("days", "days_1"),
    ),
    Verb(
        "DROP of one partition", FIRMS + DAYS, FIRMS + DAYS.replace("create table days_1", "-- create table days_1"),
        SOME_FIRMS + SOME_DAYS, ("select tableoid::regclass, * from days where day < '2026-03-10'",),
        meanwhile="insert into days values (1, 1, '2026-03-20')", large=("days", "days_1"),
    ),
    Verb(
        "DROP of a child table", FIRMS + "create table old_bills (id bigint, note text); create table bills (extra text) inherits (old_bills);",
        FIRMS + "create table old_bills (id bigint, note text);",
        "insert into bills select n, 'note ' || n, 'x' from generate_series(1, {rows}) as n;",
        ("select tableoid::regclass, * from old_bills where id > 0", "table bills"), meanwhile="insert into old_bills values (-1, 'later')",
    ),
    Verb(
        "DROP SEQUENCE", FIRMS + "create sequence numbers start 7 increment 3;", FIRMS, "select nextval('numbers') from generate_series(1, 5)",
        ("select last_value, is_called from numbers",), large=(),
    ),
    Verb(
        "DOWN of CREATE TABLE, and UP again", FIRMS, BILLS, SOME_FIRMS, ("table firms",), meanwhile=SOME_BILLS,
        new_rows=("table bills",),
    ),
)  # fmt: skip
