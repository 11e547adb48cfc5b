"""The same pairs of databases, planned as if every table had ten million rows: judged by the same laws and by pg_dump.

Whatever the online form prepares, swaps, validates and takes away: it ends exactly where the direct form does, also the second
time, and leaves nothing behind.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest
from corpus import EVERY, TOGETHER, Case, all_at_once, load, one, read
from judge import difference, dump

from reconciler.catalog import snapshot
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.migrate import parse, render, render_section
from reconciler.migrate.compose import in_form
from reconciler.model import Limits, Migration, ObjectId, Size, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.plan import online, quarantine
from reconciler.plan.complete import complete
from reconciler.run import run_step, steps
from reconciler.shadow.rows import common_columns, hashed

KINDS = frozenset({
    "column", "constraint", "default", "index", "materialized_view", "neighbours", "partition", "replica_identity", "clustered",
    "table", "trigger", "policy",
})  # fmt: skip
ALONE = [
    case for case in EVERY
    if case.kind in KINDS and (case not in TOGETHER or os.environ.get("RECONCILER_TEST_EACH"))
]  # fmt: skip

Both = tuple[tuple[Statement, ...], tuple[Statement, ...]]


def huge(*sides: Snapshot) -> dict[ObjectId, Size]:
    """Every table with ten million rows."""
    kinds = ("table", "materialized_view")
    return {
        fact.id: Size(10_000_000) for side in sides for kind in kinds for fact in side.by_kind.get(kind, ())
    }


def planned(before: Snapshot, after: Snapshot) -> tuple[Both, Both]:
    """(the direct form, the online form), up and down."""
    up = complete(Context(before, after, "postgres"))
    down = complete(Context(after, before, "postgres"))
    sizes = huge(before, after)
    return (up, down), online.rewritten(
        up, down, before, after, sizes=sizes, limits=Limits(), applier="postgres"
    )


def run(session: psycopg.Connection, statements: Sequence[Statement]) -> None:
    for step in steps(statements):
        run_step(session, step, lock_timeout="5s")


def assert_laws(old: Url, new: Url, *, least: int = 0) -> bool:
    """Walks `old` to `new` and back and there again, online; whether that was another way than the direct one. `least` is the number
    of statements outside transactions."""
    before, after = read(old), read(new)
    direct, (up, down) = planned(before, after)
    if (up, down) == direct:
        return False
    assert sum(not s.transactional for s in (*up, *down)) >= least
    dumps, goals, ways = (
        {"up": dump(new), "down": dump(old)},
        {"up": after, "down": before},
        {"up": up, "down": down},
    )
    columns = common_columns(before, after)
    with connect(old) as session:
        rows = hashed(session, columns)
        for way in ("up", "up", "down", "down", "up"):
            run(session, ways[way])
            assert residue(snapshot.read(session), goals[way]) == (), way
            assert difference(dump(old), dumps[way]) == "", way
            assert hashed(session, columns) == rows, way
    return True


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.name)
def test_a_pair_of_databases(case: Case, server: Server, database: Callable[..., Url]) -> None:
    assert_laws(*one(case, server.major, database))


@pytest.mark.majors
def test_all_of_them_at_once(server: Server, database: Callable[..., Url]) -> None:
    assert assert_laws(*all_at_once(server.major, database), least=40)


BEFORE = """
create table owners (id int, name text, constraint owners_pkey primary key (id));
create table things (
  id int, owner int, code text, kind text constraint kinds check (kind <> 'x'), spare int,
  constraint things_pkey primary key (id)
);
create table parts (id int primary key, thing int constraint of_thing references things);
create index things_spare on things (spare);
create index things_kind on things (kind);
create table log (id int, at int) partition by range (id);
create table log_1 partition of log for values from (0) to (100);
create table log_2 partition of log for values from (100) to (200);
"""
FILLED = """
insert into owners select n, 'o' from generate_series(1, 20) as n;
insert into things select n, n, 'c' || n, 'k', n from generate_series(1, 20) as n;
insert into parts select n, n from generate_series(1, 20) as n;
insert into log select n, n from generate_series(1, 150) as n;
"""
AFTER = """
create table owners (id int, name text, constraint owners_pkey primary key (id));
create table things (
  id int, owner int not null constraint owned references owners, code text, kind text constraint kinds check (kind <> 'y'),
  token uuid not null default gen_random_uuid(), label text not null, draw float default random(),
  constraint things_pkey primary key (id) deferrable initially deferred, constraint things_code unique nulls distinct (code, id)
    include (kind), constraint positive check (id > 0)
);
alter table things replica identity full;
create table parts (id int primary key, thing int not null, constraint parts_thing unique (thing));
create index things_kind on things (kind, id) where kind <> 'z';
comment on index things_kind is 'by kind';
comment on constraint things_code on things is 'one each';
create unique index things_token on things (token);
create table log (id int, at int) partition by range (id);
create table log_1 partition of log for values from (0) to (100);
create table log_2 partition of log for values from (100) to (200);
create index log_at on log (at);
"""
FILL = {ObjectId("column", "public", "things", "label"): "'l' || id || spare"}
DOWN = {ObjectId("column", "public", "things", "spare"): "id"}


def interrupted(server: Server, database: Callable[..., Url]) -> tuple[Url, Snapshot, Snapshot, Both]:
    """The database before, both states, and the online plan between them."""
    after = AFTER if server.major >= 15 else AFTER.replace("unique nulls distinct", "unique")
    old, new = database(), database()
    load(old, BEFORE + FILLED)
    load(new, after)
    a, b = read(old), read(new)
    up, down = complete(Context(a, b, "postgres", FILL)), complete(Context(b, a, "postgres", DOWN))
    made = online.rewritten(
        up, down, a, b, sizes=huge(a, b), limits=Limits(), applier="postgres", fills=FILL, downs=DOWN
    )
    return old, a, b, made


def test_interrupted_at_every_step(server: Server, database: Callable[..., Url]) -> None:
    """Wherever an UP or a DOWN ends, going on, beginning again and turning back all lead where they should."""
    start, before, after, (up, down) = interrupted(server, database)
    there = database(template=start)
    with connect(there) as session:
        run(session, up)
    for first, other, origin, ends in (
        (up, down, start, (after, before)),
        (down, up, there, (before, after)),
    ):
        cut = steps(first)
        assert len(cut) > 10
        for number in range(1, len(cut)):
            for way, goal in ((first, ends[0]), (other, ends[1])):
                copy = database(template=origin)
                with connect(copy) as session:
                    for step in cut[:number]:
                        run_step(session, step, lock_timeout="5s")
                    run(session, way)
                    assert residue(snapshot.read(session), goal) == (), (number, way is first)
                    rows = session.execute("select count(*), sum(id) from things").fetchone()
                    assert rows == (20, 210)


def test_what_an_interrupted_build_left_is_built_again(server: Server, database: Callable[..., Url]) -> None:
    """INVALID indexes by the names that the plan will use, as psql meets them: no program takes them away first."""
    start, _, after, (up, _) = interrupted(server, database)
    with connect(start) as session:
        for statement in up:
            if (
                "concurrently" in statement.sql
                and not statement.transactional
                and "(token)" not in statement.sql
            ):
                session.execute(statement.sql.encode())
        session.execute(
            "update pg_index set indisvalid = false where indexrelid::regclass::text ~ '_[0-9a-f]{8}$|_code'"
        )
        for step in steps(up):
            if not step.transactional:
                session.execute(step.statements[0].sql.encode())
                continue
            with session.transaction():
                for statement in step.statements:
                    session.execute(statement.sql.encode())
        assert residue(snapshot.read(session), after) == ()


def test_psql_runs_the_file_twice_and_back(
    server: Server, database: Callable[..., Url], tmp_path: Path
) -> None:
    url, before, after, (up, down) = interrupted(server, database)
    made = Migration("20261126050000", "online", in_form(up), in_form(down), "b", "a")
    scripts = {"up": render(made), "down": render_section(made, "down")}
    assert parse(scripts["up"], made.filename) == made
    for way, goal in (("up", after), ("up", after), ("down", before), ("down", before)):
        file = tmp_path / f"{way}.sql"
        file.write_text(scripts[way], encoding="utf-8")
        done = subprocess.run(
            [str(server.binaries.program("psql")), "-X", "-q", "-f", str(file), url.reveal()],
            capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert residue(read(url), goal) == (), way
        assert way == "down" or "public.things.label: " in done.stderr


def test_what_goes_is_kept_and_comes_back(server: Server, database: Callable[..., Url]) -> None:
    """The online form of the form that keeps what it takes away: both together, values included."""
    url, before, after, _ = interrupted(server, database)
    up, down = (
        complete(Context(before, after, "postgres", FILL)), complete(Context(after, before, "postgres", DOWN))
    )  # fmt: skip
    sizes = huge(before, after)
    kept = quarantine.kept(
        up, down, before, after, applier="postgres", large=frozenset(sizes), fills=FILL, downs=DOWN
    )
    ways = online.rewritten(
        *kept, before, after, sizes=sizes, limits=Limits(), applier="postgres", fills=FILL, downs=DOWN
    )
    assert sum("concurrently" in s.sql for s in ways[0]) > 5
    values = "select id, owner, code, kind, spare from things order by id"
    with connect(url) as session:
        rows = session.execute(values.encode()).fetchall()
        for way, goal in ((0, after), (0, after), (1, before), (1, before), (0, after), (1, before)):
            run(session, ways[way])
            assert residue(snapshot.read(session), goal) == (), way
        assert session.execute(values.encode()).fetchall() == rows


def test_what_is_written_before_the_last_step_is_kept_too(
    server: Server, database: Callable[..., Url]
) -> None:
    """What goes waits until a busy table is filled; what is copied of it waits with it, or writes in between would be lost."""
    old, new = database(), database()
    load(
        old,
        "create table t (id int primary key, v text, z numeric(10,4)); create table big (id int primary key)",
    )
    load(
        new,
        "create table t (id int primary key, z numeric(10,2)); create table big (id int primary key, u text not null)",
    )
    before, after = read(old), read(new)
    fills = {ObjectId("column", "public", "big", "u"): "id::text"}
    up, down = (
        complete(Context(before, after, "postgres", fills)), complete(Context(after, before, "postgres"))
    )  # fmt: skip
    big = ObjectId("table", "public", "big")
    kept = quarantine.kept(up, down, before, after, applier="postgres", large=[big], fills=fills)
    there, back = online.rewritten(
        *kept, before, after, sizes={big: Size(10_000_000)}, limits=Limits(), applier="postgres", fills=fills
    )
    with connect(old) as session:
        session.execute("insert into big values (1); insert into t values (1, 'a', 0.125)")
        number = 1
        for step in steps(there):
            run_step(session, step)
            if snapshot.read(session).fingerprint != after.fingerprint:
                number += 1
                session.execute("insert into t values (%s, 'late', 0.0625)", (number,))
        assert number > 3
        run(session, back)
        rows = session.execute("select v, z::text from t order by id").fetchall()
    assert rows == [("a", "0.1250"), *[("late", "0.0625")] * (number - 1)]
