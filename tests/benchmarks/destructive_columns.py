"""The verbs that take values out of a table that stays: columns, narrower types, smaller enums. Pure text, as `destructive`."""

from __future__ import annotations

from tests.benchmarks.destructive import Verb

_NOTES = "create table notes (id bigint primary key, {columns}body text);"
_FILL = "insert into notes (id, {names}body) select n, {values}'body ' || n from generate_series(1, {{rows}}) as n;"
_LATER = "insert into notes (id, body) select -n, 'later' from generate_series(1, 100) as n"


def _column(name: str, columns: str, names: str, values: str, *more: str) -> Verb:
    """A verb that drops these columns of `notes`; `more` is what stands on them."""
    return Verb(
        name,
        _NOTES.format(columns=columns) + "".join(more),
        _NOTES.format(columns=""),
        _FILL.format(names=names, values=values),
        (f"select id, {names}body from notes where id > 0",),
        meanwhile=_LATER,
        large=("notes",),
    )


COLUMNS = (
    _column("DROP COLUMN", "mood text,", "mood, ", "'mood ' || n % 10, "),
    _column("DROP COLUMN, NOT NULL with a default", "rank integer not null default 7,", "rank, ", "n, "),
    _column(
        "DROP two columns with an index and a check", "rank integer default 0 check (rank >= 0), mood text,", "rank, mood, ", "n, 'm', ",
        "create index notes_rank on notes (rank);",
    ),
    Verb(
        "DROP COLUMN of a partitioned table",
        "create table notes (id bigint, day date, mood text, primary key (id, day)) partition by range (day);"
        " create table notes_1 partition of notes for values from ('2026-01-01') to ('2026-02-01');"
        " create table notes_2 partition of notes default;",
        "create table notes (id bigint, day date, primary key (id, day)) partition by range (day);"
        " create table notes_1 partition of notes for values from ('2026-01-01') to ('2026-02-01');"
        " create table notes_2 partition of notes default;",
        "insert into notes select n, date '2026-01-01' + (n % 40)::integer, 'mood ' || n from generate_series(1, {rows}) as n",
        ("select tableoid::regclass, id, day, mood from notes where id > 0",),
        meanwhile="insert into notes values (-1, '2026-01-05'), (-2, '2027-01-01')",
        large=("notes_1", "notes_2"),
    ),
    Verb(
        "DOWN of ADD COLUMN, and UP again",
        _NOTES.format(columns=""),
        _NOTES.format(columns="mood text,"),
        _FILL.format(names="", values=""),
        ("select * from notes where id > 0",),
        meanwhile="update notes set mood = 'mood ' || id",
        new_rows=("select id, mood, body from notes where id > 0",),
        large=("notes",),
    ),
)  # fmt: skip

VALUES = (
    Verb(
        "a text gets shorter",
        _NOTES.format(columns="mood text,"),
        _NOTES.format(columns="mood character varying(6),"),
        _FILL.format(names="mood, ", values="'mood ' || n, "),
        ("select id, mood, body from notes where id > 0",),
        meanwhile=_LATER,
        large=("notes",),
    ),
    Verb(
        "an enum loses a value",
        "create type mood as enum ('calm', 'odd', 'wild');" + _NOTES.format(columns="mood mood,"),
        "create type mood as enum ('calm', 'wild');" + _NOTES.format(columns="mood mood,"),
        _FILL.format(names="mood, ", values="(array['calm', 'odd', 'wild'])[1 + n % 3]::mood, "),
        ("select id, mood, body from notes where id > 0",),
        meanwhile=_LATER,
        large=("notes",),
        becomes=(("mood", "odd", "calm"),),
    ),
)  # fmt: skip
