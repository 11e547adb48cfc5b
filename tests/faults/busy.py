"""Changes of tables that are busy: in online form, of many recorded steps, with what stands between them for a while."""

from __future__ import annotations

from declared import ENUM, PARTITIONED, ROWS, STATED, Change, T
from writers import Write

SETTINGS = {"online_rows": 50}
"""The tables have 200 rows: large enough then."""
READ = "analyze;"
CODED = "create table t (id int primary key, code int, note text{});\n"
CODES = "insert into t select n, n, 'note ' || n from generate_series(1, 200) as n;" + READ
CODE = (Write("t", also=(("code", "{n}"),)),)
KEYLESS = PARTITIONED.replace(", primary key (id)", "")
GUARDED = T + "alter table t enable row level security;\n"
SEE = "create function see() returns trigger language plpgsql as 'begin return new; end';\n"


def busy(
    name: str,
    live: str,
    declared: str,
    writes: tuple[Write, ...] = (Write("t"),),
    *,
    kept: bool = True,
    unsteady: tuple[str, ...] = (),
    form: str = "plain",
) -> Change:
    return Change(
        f"busy: {name}",
        live,
        declared,
        writes,
        frozenset(unsteady),
        SETTINGS,
        kept,
        "quarantine" if form == "quarantine" else "plain",
    )


BUSY = (
    busy("indexes", T + ROWS + READ, T + "create index t_note on t (note);\ncreate unique index t_half on t (id) where id % 2 = 0;\ncreate index t_low on t (lower(note));"),
    busy("index of other columns", T + "create index t_i on t (note);\n" + ROWS + READ, T + "create index t_i on t (note, id desc);"),
    busy("index goes", T + "create index t_i on t (note);\ncreate index t_j on t (lower(note));\n" + ROWS + READ, T),
    busy("index of partitions", PARTITIONED + ROWS + READ, PARTITIONED + "create index t_note on t (note);"),
    busy("check", T + ROWS + READ, "create table t (id int primary key, note text, constraint positive check (id > 0), constraint told check (note <> ''));"),
    busy(
        "foreign key", T + "create table u (id int primary key, t int, note text);\n" + ROWS + "insert into u select id, id from t;" + READ,
        T + "create table u (id int primary key, t int references t (id), note text);", (Write("u", also=(("t", "{n} % 200 + 1"),)),),
    ),
    busy("not null", T + ROWS + READ, "create table t (id int primary key, note text not null);"),
    busy("primary key", "create table t (id int not null, note text);\n" + ROWS + READ, "create table t (id int primary key, note text);"),
    busy("unique", CODED.format("") + CODES, CODED.format(", unique (code), constraint together unique (note, code)"), CODE),
    busy("unique goes", CODED.format(", unique (code)") + CODES, CODED.format(""), CODE),
    busy("column filled with now", T + ROWS + READ, "create table t (id int primary key, note text, made timestamptz not null default clock_timestamp());", unsteady=("made",)),
    busy("columns", T + ROWS + READ, "create table t (id int primary key, note text, more text default 'x', n int not null default (random() * 9)::int check (n >= 0));\ncreate index t_n on t (n);", unsteady=("n",)),
    busy("wider number", "create table t (id int primary key, note text, amount int);\n" + ROWS + READ, "create table t (id int primary key, note text, amount bigint);\ncreate index t_amount on t (amount);", (Write("t", "amount"),)),
    busy("partition goes", KEYLESS + ROWS + READ, KEYLESS.split("create table t_2")[0] + "create table t_2 (id int, note text);", (Write("t", hidden="up"),)),
    busy("view of the past", T + "create materialized view m as select note from t;\n" + ROWS + READ, T + "create materialized view m as select id, note from t;\ncreate unique index m_id on m (id);"),
    busy("policy and trigger", GUARDED + SEE + "create policy p on t using (id > 1);\ncreate trigger seen before insert on t for each row execute function see();\n" + ROWS + READ,
         GUARDED + SEE + "create policy p on t as restrictive using (id > 2);\ncreate trigger seen before update on t for each row execute function see();\ncreate index t_note on t (note);"),
    busy("enum value and index", ENUM.format("'a'") + STATED.format(" default 'a'") + ROWS + READ,
         ENUM.format("'a', 'b'") + STATED.format(" not null default 'b'") + "create index t_state on t (state) where state = 'b';", (Write("t", also=(("state", "'a'"),)),), kept=False),
    busy("many things", CODED.format(", gone int default 4") + "create index t_code on t (code);\n" + CODES,
         CODED.format(" not null, made timestamptz not null default clock_timestamp(), unique (code), check (code > 0)")
         + "create index t_code on t (code desc);\ncreate table u (id int primary key, t int references t (id) on delete cascade);\ncreate view v as select code from t;",
         CODE, kept=False, unsteady=("made",)),
    busy("kept table", T + "create table u (id int primary key, t int references t (id), note text);\ncreate index u_t on u (t);\n" + ROWS + "insert into u select id, id, note from t;" + READ,
         T + "create index t_note on t (note);", (Write("u", also=(("t", "{n} % 200 + 1"),)),), form="quarantine"),
    busy("kept column", CODED.format(", gone text not null default 'x'") + "create index t_gone on t (gone);\n" + CODES, CODED.format(", come text default 'y'"), CODE, form="quarantine"),
)  # fmt: skip
