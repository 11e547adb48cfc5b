"""Columns of large tables are kept and given back while others write: every committed write counts, nobody's fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from corpus import load, read
from test_kept_columns import plans, run

from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.plan import quarantine
from reconciler.plan.complete import complete

OLD = "create table t (id bigint primary key, v text, must integer not null, x text)"
NEW = "create table t (id bigint primary key, x text)"
MIRROR = "create table seen (id bigint, v text, must integer)"
ROWS = 40_000
WRITERS = 3


def filled(url: Url) -> None:
    load(url, f"{OLD}; {MIRROR}")
    with connect(url) as session:
        session.execute(
            f"insert into t select n, 'v' || n, n, repeat('x', 100) from generate_series(1, {ROWS}) as n".encode()
        )
        session.execute("insert into seen select id, v, must from t")
        session.execute("create index on seen (id)")
        session.execute("analyze t")


@contextmanager
def writing(
    url: Url,
    write: Callable[[psycopg.Connection, int, int], None],
    done: type[psycopg.Error],
    *isolations: str,
) -> Iterator[list[psycopg.Error]]:
    """Writers with keys of their own, until what they write to is gone, or until the end; their other errors are collected."""
    stop = threading.Event()
    errors: list[psycopg.Error] = []

    def work(own: int) -> None:
        isolation = isolations[own] if isolations else "read committed"
        with connect(url) as session:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    with session.transaction():
                        session.execute(f"set transaction isolation level {isolation}".encode())
                        write(session, own, number)
                except done:
                    return
                except psycopg.Error as error:
                    errors.append(error)
                    return
                time.sleep(0.001)

    threads = [threading.Thread(target=work, args=(own,)) for own in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def change(session: psycopg.Connection, own: int, number: int) -> None:
    """A change of every sort, and the same in the mirror. Each speaks of the column, and so ends with it."""
    id = (number * 37 % (ROWS // WRITERS)) * WRITERS + own
    sort = number % 4
    for table in (b"t", b"seen"):
        more = (b", x", b", 'x'") if table == b"t" else (b"", b"")
        if sort == 0:
            session.execute(
                b"update %s set v = %%s, must = must + 1 where id = %%s" % table, (f"u{number}", id)
            )
        elif sort == 1:
            session.execute(b"delete from %s where id = %%s and coalesce(v, '') is not null" % table, (id,))
        elif sort == 2:
            new = ROWS * 2 + number * WRITERS + own
            session.execute(
                b"insert into %s (id, v, must%s) values (%%s, null, %%s%s)" % (table, *more), (new, number)
            )
        else:
            session.execute(
                b"update %s set id = %%s, v = v where id = %%s" % table,
                (ROWS * 20 + number * WRITERS + own, id),
            )


DIFFERENT = """
select count(*) from (table {copy} except all select id, v, must from seen) as a
union all select count(*) from (select id, v, must from seen except all table {copy}) as b
"""


def copy_of(url: Url) -> str:
    with connect(url) as session:
        row = session.execute(
            "select kept_as from reconciler_quarantine.kept order by id desc limit 1"
        ).fetchone()
    assert row is not None
    return f'reconciler_quarantine."{row[0]}"'


@pytest.mark.majors
def test_nothing_written_meanwhile_is_lost(server: Server, database: Callable[..., Url]) -> None:
    old, new = database(), database()
    filled(old)
    load(new, f"{NEW}; {MIRROR}; create index on seen (id)")
    before, after = read(old), read(new)
    up, _ = plans(before, after, large=True)
    levels = ("read committed", "repeatable read", "serializable")
    with writing(old, change, psycopg.errors.UndefinedColumn, *levels) as errors:
        time.sleep(0.2)
        run(old, up)
    assert errors == []
    with connect(old) as session:
        assert session.execute(DIFFERENT.format(copy=copy_of(old)).encode()).fetchall() == [(0,), (0,)]
        left = session.execute(
            "select tgname from pg_catalog.pg_trigger where not tgisinternal union all select c.relname from pg_catalog.pg_class"
            " as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace where n.nspname = 'reconciler_quarantine' and"
            " c.relname like 'notes%'"
        ).fetchall()
    assert left == []


def test_a_copy_that_is_cut_off_goes_on(server: Server, database: Callable[..., Url]) -> None:
    old, new = database(), database()
    filled(old)
    load(new, f"{NEW}; {MIRROR}; create index on seen (id)")
    before, after = read(old), read(new)
    up, _ = plans(before, after, large=True)
    at = next(n for n, s in enumerate(up) if not s.transactional)
    cuts, places = 0, set()
    with writing(old, change, psycopg.errors.UndefinedColumn) as errors:
        run(old, up[:at])
        limit = 20
        with connect(old) as session:
            notes = session.execute(
                "select c.oid::regclass::text from pg_catalog.pg_class as c where c.relname like 'notes\\_%' and c.relkind = 'r'"
            ).fetchone()
            assert notes is not None
            while True:
                session.execute(f"set statement_timeout = {limit}".encode())
                try:
                    session.execute(up[at].sql.encode())
                    break
                except psycopg.errors.QueryCanceled:
                    cuts, limit = cuts + 1, limit * 3 // 2
                session.execute("reset statement_timeout")
                places |= set(
                    session.execute(f"select place from {notes[0]} where note = 'p'".encode()).fetchall()
                )
        # All of it once more, as psql would: what is done is found done.
        run(old, up)
    assert errors == []
    assert cuts and places
    with connect(old) as session:
        assert session.execute(DIFFERENT.format(copy=copy_of(old)).encode()).fetchall() == [(0,), (0,)]


def test_a_partition_that_is_emptied_meanwhile(server: Server, database: Callable[..., Url]) -> None:
    """TRUNCATE of one partition fires no trigger of the table above it."""
    old, new = database(), database()
    parts = "".join(f"create table p{n} partition of p for values in ({n});" for n in (1, 2))
    load(
        old,
        f"create table p (id integer, k integer, v text, primary key (id, k)) partition by list (k); {parts}",
    )
    load(new, f"create table p (id integer, k integer, primary key (id, k)) partition by list (k); {parts}")
    load(old, "insert into p select n, 1 + n % 2, 'v' || n from generate_series(1, 100) as n")
    before, after = read(old), read(new)
    up, down = plans(before, after, large=True)
    at = next(n for n, s in enumerate(up) if not s.transactional)
    run(old, up[: at + 1])
    load(
        old,
        "truncate p1; insert into p values (7, 1, 'again'), (8, 2, 'more'); update p set v = 'other' where id = 1",
    )
    run(old, up[at + 1 :])
    run(old, down)
    assert read(old).fingerprint == before.fingerprint
    with connect(old) as session:
        found = session.execute("select count(*)::integer, min(v) filter (where id = 7), min(v) filter (where id = 8), min(v) filter"
                                " (where id = 1) from p").fetchall()  # fmt: skip
    assert found == [(52, "again", "more", "other")]


@pytest.mark.majors
def test_what_is_written_after_the_way_back_began_stays(server: Server, database: Callable[..., Url]) -> None:
    old, new = database(), database()
    filled(old)
    load(new, f"{NEW}; {MIRROR}; create index on seen (id)")
    before, after = read(old), read(new)
    up, down = plans(before, after, {"t.must": "-1"}, large=True)
    run(old, up)
    load(old, f"insert into t (id, x) select n, 'x' from generate_series({ROWS + 1}, {ROWS + 50}) as n")
    load(old, f"insert into seen select n, null, -1 from generate_series({ROWS + 1}, {ROWS + 50}) as n")

    def change_x(session: psycopg.Connection, own: int, number: int) -> None:
        id = (number * 37 % (ROWS // WRITERS)) * WRITERS + own
        session.execute("update t set x = 'y' where id = %s", (id,))
        if session.execute(
            "select from pg_catalog.pg_attribute where attrelid = 't'::regclass and attname = 'v'"
        ).fetchone():
            session.execute("update t set v = %s where id = %s", (f"w{number}", id))
            session.execute("update seen set v = %s where id = %s", (f"w{number}", id))

    with writing(old, change_x, psycopg.errors.UndefinedTable) as errors:
        time.sleep(0.1)
        run(old, down)
    assert errors == []
    assert read(old).fingerprint == before.fingerprint
    with connect(old) as session:
        assert session.execute(
            DIFFERENT.format(copy="(select id, v, must from t)").replace("table (", "(").encode()
        ).fetchall() == [(0,), (0,)]


@pytest.mark.majors
def test_a_narrower_type_while_others_write(server: Server, database: Callable[..., Url]) -> None:
    """The second column has what the first one has, whoever writes when; and the way back what was cut off."""
    old, new = database(), database()
    mirror = "create table seen (id bigint, v text); create index on seen (id)"
    load(old, f"create table t (id bigint primary key, v text not null default 'abcdef'); {mirror}")
    load(new, f"create table t (id bigint primary key, v varchar(4) not null default 'abcd'); {mirror}")
    before, after = read(old), read(new)
    load(
        old,
        f"insert into t select n, 'v' || n from generate_series(1, {ROWS}) as n; insert into seen table t",
    )
    up, down = plans(before, after, large=True)

    def write(session: psycopg.Connection, own: int, number: int) -> None:
        id = (number * 37 % (ROWS // WRITERS)) * WRITERS + own
        value, fresh = f"longer {number}", ROWS * 2 + number * WRITERS + own
        for table in (b"t", b"seen"):
            if number % 3 == 0:
                session.execute(b"update %s set v = %%s where id = %%s" % table, (value, id))
            elif number % 3 == 1:
                session.execute(b"insert into %s values (%%s, %%s)" % table, (fresh, value))
            else:
                session.execute(b"delete from %s where id = %%s and v <> 'x'" % table, (id,))

    with writing(old, write, psycopg.errors.StringDataRightTruncation) as errors:
        time.sleep(0.1)
        run(old, up)
    assert errors == []
    assert read(old).fingerprint == after.fingerprint
    different = (
        "select count(*) from (select id, {0} from t except all select id, {1} from seen) as a union all select count(*) from"
        " (select id, {1} from seen except all select id, {0} from t) as b"
    )
    with connect(old) as session:
        gone = session.execute("delete from seen where id not in (select id from t)").rowcount
        assert gone <= WRITERS
        assert session.execute(different.format("v", "left(v, 4)").encode()).fetchall() == [(0,), (0,)]
    run(old, down)
    assert read(old).fingerprint == before.fingerprint
    with connect(old) as session:
        assert session.execute(different.format("v", "v").encode()).fetchall() == [(0,), (0,)]


@pytest.mark.parametrize("shape", ["v text", "n bigint generated always as identity", "v text not null"])
def test_a_way_that_is_left_in_the_middle_leaves_nothing(
    server: Server, database: Callable[..., Url], shape: str
) -> None:
    """UP stops before the column goes, and is taken back: no trigger, no copy, no note is left."""
    old, new = database(), database()
    load(old, f"create table t (id bigint primary key, {shape})")
    load(new, "create table t (id bigint primary key)")
    before, after = read(old), read(new)
    column = shape.split()[0]
    load(old, "insert into t (id) values (1)" if "not null" not in shape else "insert into t values (1, 'a')")
    up, down = plans(before, after, large=True)
    goes = next(n for n, s in enumerate(up) if "drop column" in s.sql)
    run(old, up[: goes - 1])
    # What keeps is no part of the schema, and named in the registry.
    assert read(old) == before
    with connect(old) as session:
        begun = "select kind, part from reconciler_quarantine.kept where tag like 'unfinished %' order by 1"
        assert session.execute(begun.encode()).fetchall() == [
            ("unfinished_copy", column),
            ("unfinished_notes", ""),
        ]
        assert session.execute("select count(*) from pg_trigger where not tgisinternal").fetchone() == (2,)
    run(old, down)
    assert read(old).fingerprint == before.fingerprint
    with connect(old) as session:
        left = session.execute(
            "select c.relname from pg_catalog.pg_class as c where c.relnamespace = 'reconciler_quarantine'::regnamespace and"
            " c.relkind = 'r'"
        ).fetchall()
        value = session.execute(f"select {column} from t".encode()).fetchall()
        assert session.execute("select count(*) from pg_trigger where not tgisinternal").fetchone() == (0,)
        assert session.execute("select count(*) from reconciler_quarantine.kept").fetchone() == (0,)
    assert left == [("kept",)]
    assert value == [(None if shape == "v text" else "a" if column == "v" else 1,)]


@pytest.mark.parametrize(
    ("kept", "types"),
    [("v text not null", ("", "")), ("v mood not null", ("create type mood as enum ('a', 'b');", "create type mood as enum ('a');"))],
)  # fmt: skip
def test_a_second_column_that_is_not_needed_after_all_goes(
    server: Server, database: Callable[..., Url], kept: str, types: tuple[str, str]
) -> None:
    old, new = database(), database()
    load(old, f"{types[0]} create table t (id bigint primary key, {kept})")
    load(new, f"{types[1]} create table t (id bigint primary key, {kept.replace('text', 'varchar(2)')})")
    before, after = read(old), read(new)
    load(old, "insert into t values (1, 'b')")
    fills = {ObjectId("enum_value", "public", "mood", "b"): "a"} if types[0] else {}
    up, down = (
        complete(Context(before, after, "postgres", fills)),
        complete(Context(after, before, "postgres")),
    )
    up, down = quarantine.kept(
        up, down, before, after, applier="postgres", large=[ObjectId("table", "public", "t")], fills=fills
    )
    at = next(n for n, s in enumerate(up) if "rename column" in s.sql)
    run(old, up[: at - 1])
    assert read(old).fingerprint != before.fingerprint
    load(old, "insert into t values (2, 'a')")
    run(old, down)
    assert read(old).fingerprint == before.fingerprint
    for _ in range(2):
        run(old, up)
        assert read(old).fingerprint == after.fingerprint
    run(old, down)
    with connect(old) as session:
        assert session.execute("select id, v::text from t order by 1").fetchall() == [(1, "b"), (2, "a")]


def test_a_cast_of_somebody_elses_is_not_used_and_who_writes_needs_no_right_to_the_type(
    server: Server, database: Callable[..., Url]
) -> None:
    """The second column follows with what the enum itself prints, for a writer who may not even look into its schema."""
    old, new = database(), database()
    enum = "create schema apart; create type apart.mood as enum ({0});"
    table = "create table t (id bigint primary key, v apart.mood, vs apart.mood[])"
    load(old, enum.format("'a', 'b', 'c'") + table)
    load(new, enum.format("'a', 'c'") + table)
    before, after = read(old), read(new)
    fills = {ObjectId("enum_value", "apart", "mood", "b"): "a"}
    up, _ = quarantine.kept(
        complete(Context(before, after, "postgres", fills)), complete(Context(after, before, "postgres")),
        before, after, applier="postgres", large=[ObjectId("table", "public", "t")], fills=fills,
    )  # fmt: skip
    at = next(n for n, s in enumerate(up) if "rename column" in s.sql)
    load(
        old,
        "create function foreign_code(apart.mood) returns text language sql immutable as $$ select 'c' $$;"
        " create cast (apart.mood as text) with function foreign_code(apart.mood) as assignment;"
        " insert into t values (1, 'b', '{b,NULL,c}'), (2, 'a', null), (3, null, '{}'); create role writes_only;"
        " grant select, insert, update on t to writes_only; grant usage on schema public to writes_only",
    )
    second = "select id, pg_catalog.format('%s', r.v), pg_catalog.format('%s', r.vs) from {0} as r order by 1"
    try:
        run(old, [s for s in up[:at] if s.subject is None])
        load(
            old,
            "set role writes_only; insert into t values (4, 'b', '[0:1]={a,b}'); update t set v = 'c' where id = 2",
        )
        with connect(old) as session:
            names = session.execute(
                "select pg_catalog.quote_ident(attname) from pg_catalog.pg_attribute where attrelid = 't'::regclass and attname"
                " like 'reconciler\\_%' and atttypid::regtype::text not like '%[]' union all select pg_catalog.quote_ident(attname)"
                " from pg_catalog.pg_attribute where attrelid = 't'::regclass and attname like 'reconciler\\_%' and"
                " atttypid::regtype::text like '%[]'"
            ).fetchall()
            assert len(names) == 2
            found = session.execute(
                second.format(f"(select id, {names[0][0]} as v, {names[1][0]} as vs from t)").encode()
            ).fetchall()
    finally:
        load(old, "drop owned by writes_only; drop role writes_only")
    assert found == [(1, "a", "{a,NULL,c}"), (2, "c", ""), (3, "", "{}"), (4, "a", "[0:1]={a,a}")]


@pytest.mark.parametrize("table", ["t", "k", "held row"])
def test_a_declared_value_that_is_null_for_some_rows(
    server: Server, database: Callable[..., Url], table: str
) -> None:
    """The way back ends: such a row stays without a value. What is declared is not asked for rows whose value was kept."""
    old, new = database(), database()
    load(old, f'create table "{table}" (id bigint primary key, v text, x integer)')
    load(new, f'create table "{table}" (id bigint primary key, x integer)')
    before, after = read(old), read(new)
    load(old, f"""insert into "{table}" values (1, 'kept', 0), (2, null, 0)""")
    up, down = plans(before, after, {f"{table}.v": "nullif((8 / x)::text, '4')"}, large=True)
    run(old, up)
    load(old, f'insert into "{table}" values (3, 2), (4, 1), (5, null)')
    long = next(n for n, s in enumerate(down) if not s.transactional)
    run(old, down[:long])
    with connect(old) as session:
        session.execute(b"set statement_timeout = '20s'")
        session.execute(down[long].sql.encode())
    run(old, down)
    assert read(old).fingerprint == before.fingerprint
    with connect(old) as session:
        found = session.execute(f'select id, v from "{table}" order by id'.encode()).fetchall()
    assert found == [(1, "kept"), (2, None), (3, None), (4, "8"), (5, None)]


@pytest.mark.parametrize("again", [False, True])
def test_partitions_that_come_while_rows_are_copied(
    server: Server, database: Callable[..., Url], again: bool
) -> None:
    """One that is new, and one that was away, was written to and is back: no trigger noted their rows. The copy may run once more."""
    old, new = database(), database()
    parts = "".join(f"create table p{n} partition of p for values in ({n});" for n in (1, 2, 3, 4))
    load(
        old,
        f"create table p (id integer, k integer, v text, primary key (id, k)) partition by list (k); {parts}",
    )
    load(new, f"create table p (id integer, k integer, primary key (id, k)) partition by list (k); {parts}")
    before, after = read(old), read(new)
    load(old, "insert into p select n, 1 + n % 3, 'v' || n from generate_series(1, 90) as n")
    load(old, "alter table p detach partition p3")
    up, down = plans(before, after, large=True)
    at = next(n for n, s in enumerate(up) if not s.transactional)
    run(old, up[: at + 1])
    load(old, "alter table p attach partition p3 for values in (3); alter table p detach partition p2")
    load(
        old,
        "update p2 set v = 'other' where id = 1; delete from p2 where id = 4; insert into p2 values (7, 2, 'more')"
        " on conflict (id, k) do update set v = 'more'",
    )
    load(old, "alter table p attach partition p2 for values in (2)")
    load(old, "update p set v = 'last' where id = 2; insert into p values (5, 4, 'empty before')")
    run(old, up[at:] if again else up[at + 1 :])
    assert read(old).fingerprint == after.fingerprint
    with connect(old) as session:
        copied = session.execute(f"select id, k from {copy_of(old)} order by 1, 2".encode()).fetchall()
        assert copied == session.execute(b"select id, k from p order by 1, 2").fetchall()
    run(old, down)
    assert read(old).fingerprint == before.fingerprint
    expected = {n: f"v{n}" for n in range(1, 91) if n != 4} | {1: "other", 2: "last", 7: "more"}
    with connect(old) as session:
        found = dict(session.execute(b"select id, v from p where k < 4").fetchall())
        rest = session.execute(b"select id, v from p where k = 4").fetchall()
    assert found == expected
    assert rest == [(5, "empty before")]
