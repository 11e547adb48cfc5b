"""Changes that take something away and keep it: in quarantine form, DOWN brings every row back, and UP again what was written since."""

from __future__ import annotations

from declared import KINDS, LISTED, PARTITIONED, ROWS, Change, T
from writers import Write

OWNED = """
create table u (id int primary key, t int references t (id), note text, size int not null default 3 check (size > 0));
create index u_note on u (note);
create table w (id int primary key, u int references u (id));
"""
OWNED_ROWS = (
    "insert into u select id, id, note from t;\ninsert into w select id, id from u where id % 2 = 0;\n"
)
U = Write("u", also=(("t", "{n} % 200 + 1"),))

KEEPING = (
    Change("kept table", T + OWNED + ROWS + OWNED_ROWS, T + "create table w (id int primary key, u int);", (Write("t"), U), kept=True, form="quarantine"),
    Change("kept table of a DOWN", T + ROWS, T + OWNED.split("create table w")[0], (Write("t"), U), kept=True, form="quarantine"),
    Change(
        "kept serial table", T + "create table u (id serial primary key, note text, state text default 'x' not null);\n" + ROWS
        + "insert into u (note) select note from t;\nselect setval('u_id_seq', 900);", T, (Write("t"), Write("u")), kept=True, form="quarantine",
    ),
    Change(
        "kept column", "create table t (id int primary key, note text, gone int default 5 not null, more text);\n"
        "create index t_gone on t (gone);\n" + "insert into t select n, 'note ' || n, n * 2, 'more' from generate_series(1, 200) as n;",
        "create table t (id int primary key, note text);", kept=True, form="quarantine",
    ),
    Change("kept column of a DOWN", T + ROWS, "create table t (id int primary key, note text, come text default 'x');", (Write("t", "come"),), kept=True, form="quarantine"),
    Change(
        "kept column without a key", "create table t (id int, note text, gone text);\ninsert into t select n, 'note ' || n, 'gone ' || n from generate_series(1, 200) as n;",
        "create table t (id int, note text);", kept=True, form="quarantine",
    ),
    Change(
        "kept things of many kinds", T + OWNED + "create sequence s start 7;\ncreate view v as select note from u;\n"
        "create function see() returns trigger language plpgsql as 'begin return new; end';\n"
        "create trigger seen before insert on u for each row execute function see();\n" + ROWS + OWNED_ROWS + "select nextval('s') from t;",
        "create table t (id int primary key, words int);\ncreate table fresh (id int primary key, note text);",
        (Write("u", also=(("t", "{n} % 200 + 1"),)), Write("fresh")), kept=False, form="quarantine",
    ),
    Change("kept partition", PARTITIONED + ROWS, PARTITIONED.split("create table t_2")[0], (Write("t", hidden="up"),), kept=True, form="quarantine"),
    Change(
        "kept partitioned table", T + LISTED.replace("table t", "table p").format("list (kind)") + "create table p_1 partition of p for values in (1);\n"
        "create table p_0 partition of p default;\n" + ROWS + KINDS.replace("into t", "into p"),
        T, (Write("t"), Write("p", also=(("kind", "{n} % 2"),))), kept=True, form="quarantine",
    ),
)  # fmt: skip
