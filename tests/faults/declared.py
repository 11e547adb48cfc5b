"""Changes of declarations, from which the product makes the migrations that the faults meet.

Each is a live database, what is declared instead, and where writers write meanwhile: the key `id` below a million belongs to the
change, the rest to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from writers import Write

ROWS = "insert into t select n, 'note ' || n from generate_series(1, 200) as n;"
T = "create table t (id int primary key, note text);\n"
ENUM = "create type state as enum ({});\n"
STATED = "create table t (id int primary key, note text, state state{});\n"
WRITES = (Write("t"),)
OLD_STATE = (Write("t", also=(("state", "'a'"),)),)
"""A row that holds a new value would hold up the DOWN, rightly."""


@dataclass(frozen=True)
class Change:
    """`live` is the database before, `declared` what it shall become. `settings` are those of the database in the configuration.
    `unsteady` names columns whose values differ each time they are filled; `kept` says that UP and DOWN give every row back.
    """

    name: str
    live: str
    declared: str
    writes: tuple[Write, ...] = WRITES
    unsteady: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    kept: bool = False
    form: Literal["plain", "quarantine"] = "plain"


AUDITED = T + (
    "create table seen (id bigint generated always as identity primary key, t int, what text);\n"
    "create function see() returns trigger language plpgsql as $$ begin"
    " insert into seen (t, what) values (new.id, tg_op{}); return new; end $$;\n"
)
PARTITIONED = (
    "create table t (id int, note text, primary key (id)) partition by range (id);\n"
    "create table t_1 partition of t for values from (minvalue) to (100);\n"
    "create table t_2 partition of t for values from (100) to (maxvalue);\n"
)
LISTED = "create table t (id int, kind int not null, note text, primary key (id, kind)) partition by {};\n"
KINDS = "insert into t select n, n % 2, 'note ' || n from generate_series(1, 200) as n;"
KIND = (("kind", "{n} % 2"),)

CHANGES = (
    Change("table", T + ROWS, T + "create table u (id int primary key, t int references t (id) on delete cascade);"),
    Change(
        "tables that refer to each other", T + ROWS,
        T + "create table a (id int primary key, b int);\ncreate table b (id int primary key, a int references a (id));\n"
        "alter table a add constraint a_b foreign key (b) references b (id) deferrable;\n"
        "create table c (id int primary key, a int references a, b int references b, t int references t on delete cascade);\n"
        "create index c_a on c (a);\ncreate table d (like_c int references c (id));",
    ),
    Change("columns", T + ROWS, "create table t (id int primary key, note text, more text default 'x', n int not null default 7);"),
    Change(
        "column filled with now", T + ROWS,
        "create table t (id int primary key, note text, made timestamptz not null default clock_timestamp());",
        unsteady=frozenset({"made"}),
    ),
    Change("column goes", "create table t (id int primary key, note text, gone int default 5);\n" + ROWS, T),
    Change(
        "wider number", "create table t (id int primary key, note text, amount int);\n" + ROWS,
        "create table t (id int primary key, note text, amount bigint);\ncreate view v as select amount from t;",
        (Write("t", "amount"),),
    ),
    Change("text becomes varchar", T + ROWS, "create table t (id int primary key, note varchar(60));"),
    Change("not null", T + ROWS, "create table t (id int primary key, note text not null);"),
    Change("checks", T + ROWS, "create table t (id int primary key check (id > 0), note text, constraint short check (length(note) < 99));"),
    Change(
        "unique", "create table t (id int primary key, code int, note text);\ninsert into t select n, n, 'note ' || n from generate_series(1, 200) as n;",
        "create table t (id int primary key, code int unique, note text);", (Write("t", also=(("code", "{n}"),)),),
    ),
    Change(
        "foreign key", T + "create table u (id int primary key, t int, note text);\n" + ROWS + "insert into u select id, id from t;",
        T + "create table u (id int primary key, t int references t (id), note text);", (Write("u", also=(("t", "{n} % 200 + 1"),)),),
    ),
    Change("primary key", "create table t (id int not null, note text);\n" + ROWS, "create table t (id int primary key, note text);"),
    Change(
        "exclusion", "create table t (id int primary key, note text, span int4range);\ninsert into t select n, 'note', int4range(n, n + 1) from generate_series(1, 200) as n;",
        "create table t (id int primary key, note text, span int4range, exclude using gist (span with &&));",
        (Write("t", also=(("span", "int4range({n}, {n} + 1)"),)),),
    ),
    Change("indexes", T + ROWS, T + "create index t_note on t (note);\ncreate unique index t_half on t (id) where id % 2 = 0;\ncreate index t_low on t (lower(note));"),
    Change("index of other columns", T + "create index t_i on t (note);\n" + ROWS, T + "create index t_i on t (note, id desc);"),
    Change("enum", T + ROWS, ENUM.format("'a', 'b'") + STATED.format(" not null default 'b'")),
    Change("enum value", ENUM.format("'a', 'c'") + STATED.format("") + ROWS, ENUM.format("'a', 'b', 'c'") + STATED.format("")),
    Change(
        "enum value that is used", ENUM.format("'a'") + STATED.format(" default 'a'") + ROWS,
        ENUM.format("'a', 'b'") + STATED.format(" default 'b' check (state <> 'b' or id > 0)") + "create view v as select id from t where state = 'b';",
        OLD_STATE,
    ),
    Change(
        "two enum values", ENUM.format("'a'") + STATED.format("") + ROWS,
        ENUM.format("'a', 'b', 'c'") + STATED.format(" default 'c'") + "create index t_state on t (state) where state = 'b';",
        OLD_STATE,
    ),
    Change(
        "enum value goes", ENUM.format("'a', 'b', 'c'") + STATED.format(" default 'b'") + ROWS,
        "-- reconciler: value 'b' becomes 'a'\n" + ENUM.format("'a', 'c'") + STATED.format(" default 'c'"),
    ),
    Change(
        "enum value renamed", ENUM.format("'a', 'b'") + STATED.format(" default 'b'") + ROWS,
        "-- reconciler: value 'z' renamed_from 'b'\n" + ENUM.format("'a', 'z'") + STATED.format(" default 'z'"),
    ),
    Change(
        "domain", "create domain d as text;\ncreate table t (id int primary key, note d);\n" + ROWS,
        "create domain d as text check (value <> '') default 'none';\ncreate table t (id int primary key, note d);",
    ),
    Change("views", T + ROWS, T + "create view v as select id, note from t;\ncreate view w as select id from v where note is not null;\ncreate materialized view m as select count(*) as n from w;"),
    Change(
        "view of other columns", T + "create view v as select id from t;\ncreate view w as select id from v;\n" + ROWS,
        T + "create view v as select note, id from t;\ncreate view w as select id, note from v;",
    ),
    Change("function and trigger", AUDITED.format("") + ROWS, AUDITED.format("") + "create trigger t_seen after insert or update on t for each row execute function see();", unsteady=frozenset({"seen"})),
    Change(
        "trigger that changes", AUDITED.format("") + "create trigger t_seen after insert on t for each row execute function see();\n" + ROWS,
        AUDITED.format(" || '!'") + "create trigger t_seen after update of note on t for each row when (new.id > 0) execute function see();",
        unsteady=frozenset({"seen"}),
    ),
    Change("policies", T + ROWS, T + "alter table t enable row level security;\nalter table t force row level security;\ncreate policy p on t for select using (id > 0);\ncreate policy q on t as restrictive with check (note is not null);"),
    Change(
        "policy that changes", T + "alter table t enable row level security;\ncreate policy p on t using (id > 1);\n" + ROWS,
        T + "alter table t enable row level security;\ncreate policy p on t as restrictive for update using (id > 2);",
    ),
    Change("partition", PARTITIONED.replace("maxvalue)", "2000000)") + ROWS, PARTITIONED.replace("maxvalue)", "2000000)") + "create table t_3 partition of t for values from (2000000) to (maxvalue);\ncreate index t_note on t (note);"),
    Change("column of partitions", PARTITIONED + ROWS, PARTITIONED.replace("note text", "note text not null, more int default 3") + "create index t_more on t (more, id);"),
    Change("becomes partitioned", T + "create view v as select note from t;\n" + ROWS, PARTITIONED + "create view v as select note from t;", kept=True),
    Change(
        "partitioned by another key", LISTED.format("range (id)") + "create table t_1 partition of t for values from (minvalue) to (maxvalue);\n" + KINDS,
        LISTED.format("list (kind)") + "create table t_1 partition of t for values in (0);\ncreate table t_0 partition of t default;",
        (Write("t", also=KIND),), kept=True,
    ),
    Change("partitioned no more", PARTITIONED + ROWS, T, kept=True),
    Change("column renamed", T + ROWS, "create table t (\n  id int primary key,\n  -- reconciler: renamed_from note\n  words text not null\n);", (Write("t", later=Write("t", "words")),), kept=True),
    Change("table renamed", T + ROWS, "-- reconciler: renamed_from t\ncreate table things (id int primary key, note text, more int);", (Write("t", later=Write("things")),)),
    Change("identity", T + ROWS, "create table t (id int generated by default as identity primary key, note text);"),
    Change("serial becomes identity", "create table t (id serial primary key, note text);\n" + ROWS, "create table t (id bigint generated by default as identity primary key, note text);"),
    Change("computed column", T + ROWS, "create table t (id int primary key, note text, long int generated always as (length(note)) stored);"),
    Change("schema", T + ROWS, T + "create schema app;\ncreate table app.u (id int primary key, t int references public.t (id) on delete cascade);\ncreate function app.f(int) returns int language sql stable as 'select $1 + 1';\ncreate view app.v as select app.f(id) as n from app.u;"),
    Change("comments and rights", T + ROWS, T + "comment on table t is 'told; twice';\ncomment on column t.note is 'said';\ngrant select, insert (note) on t to public;\ncreate sequence s increment 5;\ngrant usage on sequence s to public;"),
    Change("storage", T + ROWS, "create table t (id int primary key, note text storage external) with (fillfactor = 70, autovacuum_enabled = false);\nalter table t replica identity full;\ncreate statistics st (dependencies) on id, note from t;"),
    Change("composite and range", "create type pair as (a int);\ncreate table t (id int primary key, note text, p pair);\n" + ROWS, "create type pair as (a int, b text);\ncreate type span as range (subtype = float8);\ncreate table t (id int primary key, note text, p pair, s span);"),
    Change("rule", T + "create table log (id int, note text);\n" + ROWS, T + "create table log (id int, note text);\ncreate rule logged as on delete to t do also insert into log values (old.id, 'gone');"),
    Change("logged", "create unlogged table u (id int primary key, note text);\n" + T + ROWS + "insert into u select * from t;", "create table u (id int primary key, note text);\n" + T, unsteady=frozenset({"u"})),  # a crash empties what is unlogged
    Change(
        "many things", ENUM.format("'a'") + STATED.format(" default 'a'") + "create index t_note on t (note);\n" + ROWS,
        ENUM.format("'a', 'b'") + STATED.format(" not null default 'b'").replace("note text", "note text not null, n bigint not null default 0, check (n >= 0)")
        + "create table u (id int primary key, t int references t (id) on delete cascade);\ncreate index t_n on t (n, note);\ncreate view v as select t.id, n from t where state = 'b';\n"
        "create function touch() returns trigger language plpgsql as 'begin new.n := new.n + 1; return new; end';\ncreate trigger touched before update on t for each row execute function touch();\n"
        "alter table t enable row level security;\ncreate policy p on t using (true);",
        OLD_STATE,
    ),
)  # fmt: skip
