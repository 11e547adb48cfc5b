"""Seeding on real servers: how many tables get rows, and that these rows break nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from reconciler.catalog import snapshot as catalog
from reconciler.declare import read
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.platforms import prelude
from reconciler.shadow import materialise
from reconciler.shadow.rows import hashed, stored_columns
from reconciler.shadow.seed import Seeded, seed

SCHEMAS = Path(__file__).parent / "schemas"
CLEARSCRUB = Path(__file__).parents[2] / "schema"


def seeded(connection: psycopg.Connection, sql: str = "", **how: int) -> Seeded:
    if sql:
        connection.execute(sql.encode())
    return seed(connection, catalog.read(connection), **how)


def count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"select count(*) from only {table}").fetchone()
    assert row is not None
    return int(row[0])


def constraints_made_again(connection: psycopg.Connection) -> int:
    """Adds every check, key, unique and exclusion constraint a second time, which validates all rows; how many."""
    found = connection.execute(
        "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where contype in ('c', 'f', 'u', 'x', 'p')"
        " and conrelid >= 16384 and conparentid = 0 and coninhcount = 0 order by 1, conname"
    ).fetchall()
    for table, definition in found:
        again = definition.replace("PRIMARY KEY", "UNIQUE")
        with connection.transaction(force_rollback=True):
            connection.execute(f"alter table {table} add constraint once_more {again}")
    return len(found)


@pytest.mark.majors
@pytest.mark.parametrize("name", ["shop", "clinic", "telemetry", "ledger"])
def test_every_table_of_a_realistic_schema_gets_rows_that_hold(
    connection: psycopg.Connection, name: str
) -> None:
    result = seeded(connection, (SCHEMAS / f"{name}.sql").read_text())
    assert result.failed == ()
    assert len(result.tables) > 10
    assert all(count(connection, str(table)) >= 1 for table in result.tables)
    assert constraints_made_again(connection) > 20


@pytest.mark.majors
def test_every_table_of_clearscrub_gets_three_rows(connection: psycopg.Connection) -> None:
    connection.execute(prelude("supabase", owner=connection.info.user))
    materialise.load(connection, read(CLEARSCRUB).files)
    result = seeded(connection)
    assert result.failed == ()
    assert {count(connection, str(table)) for table in result.tables} == {3}
    assert len(result.tables) >= 11
    assert constraints_made_again(connection) > 20


@pytest.mark.majors
def test_every_type_that_a_column_can_have(connection: psycopg.Connection) -> None:
    types = [
        row[0]
        for row in connection.execute(
            "select format_type(oid, null) from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype in"
            " ('b', 'r', 'm') and typname not in ('gtsvector', 'pg_node_tree', 'pg_ndistinct', 'pg_dependencies',"
            " 'pg_mcv_list', 'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary', 'pg_ddl_command')"
            " and typname !~ '^_(pg_|gtsv|record|cstring)' order by typname"
        )
    ]
    try:
        connection.execute("select '<a/>'::xml")
    except psycopg.errors.FeatureNotSupported:  # a server built without libxml
        types = [type_ for type_ in types if not type_.startswith("xml")]
    more = (
        "varchar(1)", "varchar(5)", "char(1)", "char(3)", "numeric(4,2)", "numeric(2,2)", "numeric(20,0)", "bit(1)", "bit(9)",
        "bit varying(2)", "timestamp(0)", "interval day to minute", "varchar(2)[]", "numeric(3,1)[]", "mood", "pair", "zip",
        "zip[]", "pair[]", "mood[]", "spans", "small", "spans_m", "lists", "nested",
    )  # fmt: skip
    connection.execute(
        "create type mood as enum ('sad', 'ok'); create type pair as (a int, b text[], m mood); create domain zip as text"
        " not null check (value ~ '^[0-9]{5}(-[0-9]{4})?$'); create type spans as range (subtype = float8,"
        " multirange_type_name = spans_m); create domain small_int as int check (value > 5); create domain small as small_int"
        " check (value < 9); create domain lists as text[] check (cardinality(value) = 2); create type nested as (z zip, p pair)"
    )
    columns = ", ".join(f"c{i} {type_} not null" for i, type_ in enumerate((*types, *more)))
    assert len(types) > 100
    result = seeded(connection, f"create table every ({columns})")
    assert result.failed == ()
    assert count(connection, "every") == 3


CASES = {
    "any array": "create table t (a text not null check (a = any (array['x', 'y'])))",
    "nine digits": "create table t (a text not null check (a ~ '^[0-9]{9}$') unique)",
    "length": "create table t (a text not null check (length(a) = 17), b bytea not null check (length(b) = 7))",
    "range": "create table t (a int not null check (a between 5000 and 5003) unique)",
    "columns compared": "create table t (a date not null, b date not null, c date not null, check (a < b and b < c))",
    "one of many": "create table t (a int, b int, c int, d int, e int, f int, check (num_nonnulls(a, b, c, d, e, f) = 1))",
    "either or": "create table t (a int, b int, check ((a is null) <> (b is null)))",
    "a sum": "create table t (a numeric not null, b numeric not null, c numeric not null check (c > 7), check (c = a * b + 1))",
    "generated": "create table t (a text not null, b text generated always as (lower(btrim(a))) stored check (b ~ '^[a-z]+$'))",
    "raises for some": "create table t (a text not null check (a::int > 41))",
    "function": "create function ok(x text) returns boolean language sql immutable as $$ select x in ('p', 'q') $$;"
    " create table t (a text not null check (ok(a)))",
    "generated, not null": "create table t (doc jsonb not null, iid bigint not null generated always as ((doc ->> 'iid')::bigint)"
    " stored)",
    "cast to an enum": "create type e as enum ('u', 'v'); create table t (a text not null check (a::e is not null))",
    "whole row": "create table t (a int, b int, check (t is not null))",
    "not valid": "create table t (a int not null); alter table t add check (a > 100) not valid",
    "boolean default": "create table t (a boolean not null default true check (a), b int unique)",
    "deferrable unique": "create table t (a boolean not null unique deferrable initially deferred)",
    "few values, unique": "create table t (a boolean primary key)",
    "exclusion": "create table t (a daterange not null, exclude using gist (a with &&))",
    "partial unique": "create table t (a int not null, b boolean not null); create unique index on t (b) where b",
    "identity": "create table t (a int generated always as identity primary key, b text not null)",
    "only defaults": "create table t (a serial)",
    "no columns": "create table t ()",
    "self, not null": "create table t (a int primary key, b int not null references t)",
    "self, composite": "create table t (o int, a int, b int not null, primary key (o, a), foreign key (o, b) references t)",
    "quoted names": 'create table "T x" ("from" int primary key, "A ""b""" text check ("A ""b""" in (\'it\'\'s\')));'
    ' create table t (a int not null references "T x")',
    "instead rule": "create table t (a int); create rule r as on insert to t do instead nothing",
    "trigger that refuses": "create table t (a int); create function no() returns trigger language plpgsql as $$ begin raise"
    " 'no'; end $$; create trigger no before insert on t for each row execute function no()",
    "row security": "create table t (a int); alter table t enable row level security; alter table t force row level security",
    "hash by tenant": "create table o (id uuid primary key); create table h (id uuid not null references o) partition by hash"
    " (id); create table h0 partition of h for values with (modulus 5, remainder 0); create table t partition of h for"
    " values with (modulus 5, remainder 3)",
}  # fmt: skip


@pytest.mark.parametrize("sql", CASES.values(), ids=CASES.keys())
def test_a_hard_table_gets_rows(connection: psycopg.Connection, sql: str) -> None:
    result = seeded(connection, sql)
    assert result.failed == ()
    assert count(connection, "t") >= 1
    constraints_made_again(connection)


def test_keys_that_share_a_column_agree(connection: psycopg.Connection) -> None:
    seeded(
        connection,
        "create table org (o int primary key); create table a (o int references org, i int, primary key (o, i)); create"
        " table b (o int references org, i int, primary key (o, i)); create table c (o int not null references org, a int"
        " not null, b int not null, foreign key (o, a) references a, foreign key (o, b) references b, primary key (o, a, b))",
    )
    assert count(connection, "c") == 3
    constraints_made_again(connection)


@pytest.mark.parametrize("null", ["", "not null"])
def test_circles_are_closed(connection: psycopg.Connection, null: str) -> None:
    result = seeded(
        connection,
        f"create table a (i int primary key, b int {null}); create table b (i int primary key, c int {null});"
        f" create table c (i int primary key, a int {null} references a); alter table a add foreign key (b) references b;"
        " alter table b add foreign key (c) references c",
    )
    assert result.failed == ()
    for table, column in (("a", "b"), ("b", "c"), ("c", "a")):
        row = connection.execute(f"select count({column}) from {table}").fetchone()
        assert row is not None
        assert row[0] > 0
    constraints_made_again(connection)


def test_the_rows_are_the_same_every_time(database: Callable[..., Url]) -> None:
    seen = []
    for _ in range(2):
        with connect(database()) as connection:
            seeded(connection, (SCHEMAS / "ledger.sql").read_text())
            columns = stored_columns(catalog.read(connection))
            seen.append(hashed(connection, columns))
    assert seen[0] == seen[1]


def test_what_cannot_be_seeded_is_said_with_the_reason(connection: psycopg.Connection) -> None:
    result = seeded(
        connection,
        "create table never (a int not null check (a is null)); create table after (n int not null references fine); "
        .replace("create table after", "create table fine (i int primary key check (false)); create table after")
        + "create table parted (a int) partition by list (a); create table good (a int)",
    )  # fmt: skip
    assert [str(table) for table in result.tables] == ["public.good"]
    assert [sentence.split(":")[0] for sentence in result.failed] == [
        "public.after", "public.fine", "public.never", "public.parted",
    ]  # fmt: skip
    assert "fine" in result.failed[0]
    assert "never_a_check" in result.failed[2]


def test_only_some_tables_bring_their_targets(connection: psycopg.Connection) -> None:
    connection.execute(
        "create table a (i int primary key); create table b (i int primary key, a int not null references a);"
        " create table c (b int not null references b); create table other (i int)"
    )
    result = seed(connection, catalog.read(connection), [ObjectId("table", "public", "c")], rows=2)
    assert [table.name for table in result.tables] == ["a", "b", "c"]
    assert [count(connection, name) for name in ("a", "b", "c", "other")] == [2, 2, 2, 0]


def test_rows_that_are_there_stay_and_the_session_is_left_as_it_was(connection: psycopg.Connection) -> None:
    connection.execute("set statement_timeout to '77s'")
    result = seeded(connection, "create table a (i int); insert into a values (42); create table b (i int)")
    assert [table.name for table in result.tables] == ["a", "b"]
    assert connection.execute("select i from a").fetchall() == [(42,)]
    for name, value in (("session_replication_role", "origin"), ("statement_timeout", "77s")):
        assert connection.execute(f"show {name}").fetchone() == (value,)


def test_inside_a_callers_transaction(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        assert seeded(connection, "create table a (i int)").failed == ()
        assert connection.execute("show session_replication_role").fetchone() == ("origin",)
    assert connection.execute("select to_regclass('a')").fetchone() == (None,)
