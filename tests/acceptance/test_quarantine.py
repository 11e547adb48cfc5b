"""Drops that keep: what is dropped in quarantine form comes back, rows and definitions, whatever order things are run in.

The laws of `test_cases` over the same pairs of databases, with rows in every table that could be given some: up, up again, rows into
what is new, down, down again, up, down. What the DOWN of a new table found in it is there again after the next UP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from corpus import ALONE, Case, all_at_once, load, one, read
from judge import difference, dump

from reconciler.catalog import quarantine as registry
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.errors import Stalled
from reconciler.model import ObjectId, Snapshot, Statement
from reconciler.pg import Url, connect, ident
from reconciler.plan import quarantine
from reconciler.plan.complete import complete
from reconciler.plan.quarantine.registry import gives_back
from reconciler.run import run_step, steps
from reconciler.shadow.rows import common_columns, hashed, stored_columns
from reconciler.shadow.seed import seed

APART = "--exclude-schema=reconciler_quarantine"


def plans(
    before: Snapshot, after: Snapshot, large: bool = False
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    up, down = complete(Context(before, after, "postgres")), complete(Context(after, before, "postgres"))
    busy = [id for side in (before, after) for id in side.facts if id.kind == "table"] if large else []
    return quarantine.kept(up, down, before, after, applier="postgres", large=busy)


def tables(side: Snapshot, other: Snapshot) -> set[ObjectId]:
    """The tables of one side that the other has not."""
    return {id for id in side.facts if id.kind == "table" and id not in other.facts}


def kept_columns(side: Snapshot, other: Snapshot) -> dict[ObjectId, tuple[str, ...]]:
    """What must be the same after going to the other side and back: columns of one type on both, and tables that only one has."""
    gone = tables(side, other)
    everything = stored_columns(side)
    found = common_columns(side, other)
    return {**found, **{table: columns for table, columns in everything.items() if table in gone}}


def ran(url: Url, statements: tuple[Statement, ...]) -> None:
    """As they are applied: what stands apart is committed by itself."""
    with connect(url) as session:
        for step in steps(statements):
            run_step(session, step)


def assert_kept(old: Url, new: Url) -> None:
    """Walks the database `old` to `new` and back, twice, with rows in both states."""
    before, after = read(old), read(new)
    up, down = plans(before, after)
    dumps = {"up": dump(new, APART), "down": dump(old, APART)}
    goals = {"up": after, "down": before}
    statements = {"up": up, "down": down}
    rows: dict[str, dict[ObjectId, tuple[int, str]]] = {}
    watched = {"down": kept_columns(before, after), "up": kept_columns(after, before)}

    def walk(*ways: str) -> None:
        for way in ways:
            ran(old, statements[way])
            assert residue(read(old), goals[way]) == (), way
            assert difference(dump(old, APART), dumps[way]) == "", way
            with connect(old) as session:
                now = hashed(session, watched[way])
            assert {t: now.get(t) for t in rows.get(way, {})} == rows.get(way, {}), way

    with connect(old) as session:
        seed(session, before, only=tables(before, after))
        rows["down"] = hashed(session, watched["down"])
    walk("up", "up")
    with connect(old) as session:
        seed(session, after, only=tables(after, before))
        rows["up"] = hashed(session, watched["up"])
        written = hashed(session, {t: c for t, c in watched["down"].items() if t in after.facts})
        rows["down"].update(written)
    walk("down", "down", "up", "down")


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.name)
def test_a_pair_of_databases(case: Case, server: Server, database: Callable[..., Url]) -> None:
    old, new = one(case, server.major, database)
    before, after = read(old), read(new)
    plain = complete(Context(before, after, "postgres")), complete(Context(after, before, "postgres"))
    if plans(before, after) == plain:
        # Nothing is kept, and the plain form is judged by test_cases.py.
        assert not tables(before, after) and not tables(after, before)
        return
    assert_kept(old, new)


@pytest.mark.majors
def test_all_of_them_at_once(server: Server, database: Callable[..., Url]) -> None:
    """Every pair that can live in a schema of its own, in one plan: tables of the same name are dropped at once."""
    assert_kept(*all_at_once(server.major, database))


BILLS = """
create table firms (id integer primary key, name text);
create table bills (
  id bigint generated always as identity primary key, num serial, firm integer references firms on delete cascade, note text
);
create index bills_note on bills (note);
"""
FIRMS = "create table firms (id integer primary key, name text);"
ROWS = "insert into firms select n from generate_series(1, 5) as n; insert into bills (firm, note) select n % 5 + 1, 'x' from generate_series(1, 20) as n;"


def pair(database: Callable[..., Url], old: str, new: str, rows: str = "") -> tuple[Url, Snapshot, Snapshot]:
    url, other = database(), database()
    load(url, old)
    load(other, new)
    load(url, rows)
    return url, read(url), read(other)


def values(url: Url, query: str) -> list[tuple[Any, ...]]:
    with connect(url) as session:
        return session.execute(query.encode()).fetchall()


def test_numbering_goes_on_and_what_is_dropped_twice_comes_back(database: Callable[..., Url]) -> None:
    url, before, after = pair(database, BILLS, FIRMS, ROWS)
    up, down = plans(before, after)
    for expected in (21, 22, 23):
        ran(url, up)
        ran(url, down)
        assert values(url, "insert into bills (firm) values (1) returning id, num") == [(expected, expected)]
    assert read(url).fingerprint == before.fingerprint


def test_somebody_elses_table_of_that_name_is_left_alone(database: Callable[..., Url]) -> None:
    url, before, after = pair(database, BILLS, FIRMS, ROWS)
    up, down = plans(before, after)
    ran(url, up)
    load(url, "create table bills (theirs text); insert into bills values ('precious')")
    with pytest.raises(
        Stalled, match=r"public\.bills cannot be brought back: somebody made another"
    ) as refused:
        ran(url, down)
    assert "reconciler_quarantine.bills_" in str(refused.value)
    assert values(url, "select * from bills") == [("precious",)]
    load(url, "alter table bills rename to theirs")
    ran(url, down)
    assert values(url, "select count(*) from bills") == [(20,)]
    assert values(url, "select * from theirs") == [("precious",)]


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_rows_that_point_to_nothing_are_counted_and_named(database: Callable[..., Url], large: bool) -> None:
    url, before, after = pair(database, BILLS, FIRMS, ROWS)
    up, down = plans(before, after, large)
    ran(url, up)
    load(url, "delete from firms where id in (2, 4)")
    with pytest.raises(Stalled) as refused:
        ran(url, down)
    said = str(refused.value)
    assert "8 rows of table bills point to rows of firms that are gone" in said.replace("public.", "")
    assert "bills_firm_fkey" in said
    assert "(firm: 2; 4)" in said
    load(url, "insert into firms values (2), (4)")
    ran(url, down)
    assert read(url).fingerprint == before.fingerprint


def test_a_row_that_points_to_a_table_that_comes_back(database: Callable[..., Url]) -> None:
    lines = "create table lines (id integer primary key, bill bigint{});"
    old, new = BILLS + lines.format(" references bills"), FIRMS + lines.format("")
    url, before, after = pair(
        database, old, new, ROWS + "insert into lines select n, n from generate_series(1, 20) as n"
    )
    up, down = plans(before, after)
    ran(url, up)
    load(url, "insert into lines values (100, 4711)")
    with pytest.raises(Stalled, match=r"1 rows of table (public\.)?lines point to rows of (public\.)?bills"):
        ran(url, down)
    assert values(url, "select to_regclass('bills')") == [(None,)]
    load(url, "delete from lines where id = 100")
    ran(url, down)
    assert read(url).fingerprint == before.fingerprint


@pytest.mark.majors
def test_names_of_63_bytes_with_quotes_in_two_schemas(server: Server, database: Callable[..., Url]) -> None:
    names = ['"' + 'Ä""' + "x" * 59 + ending + '"' for ending in "12"]
    tables = "".join(
        f"create table {schema}.{name} ({column} serial primary key); insert into {schema}.{name} default values;"
        for schema in ("one", "two")
        for name in names
        for column in (names[0],)
    )
    schemas = "create schema one; create schema two;"
    url, before, after = pair(database, schemas + tables, schemas)
    up, down = plans(before, after)
    definitions = dump(url, APART)
    for _ in range(2):
        ran(url, up)
        assert read(url).fingerprint == after.fingerprint
        assert values(
            url, "select count(*), max(octet_length(kept_as)) <= 63 from reconciler_quarantine.kept"
        ) == [(4, True)]
        ran(url, down)
        assert difference(dump(url, APART), definitions) == ""
    assert [
        values(url, f"select count(*) from {schema}.{name}") for schema in ("one", "two") for name in names
    ] == [[(1,)]] * 4


def test_nobody_else_may_look(server: Server, database: Callable[..., Url]) -> None:
    """Who could read the table before cannot read it here; default privileges change nothing about that."""
    url, before, after = pair(database, BILLS, FIRMS, ROWS)
    load(
        url,
        "create role quarantine_reader; grant select on bills to public; alter default privileges grant usage on schemas to public",
    )
    try:
        before = read(url)
        up, _ = plans(before, after)
        ran(url, up)
        (kept_as,) = values(url, "select kept_as from reconciler_quarantine.kept where kind = 'table'")[0]
        with connect(url) as session:
            session.execute("set role quarantine_reader")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(f"select from reconciler_quarantine.{kept_as}".encode())
    finally:
        load(url, "drop owned by quarantine_reader; drop role quarantine_reader")


def test_the_applier_need_not_own_the_table(server: Server, database: Callable[..., Url]) -> None:
    url, other = database(), database()
    load(
        url,
        "create role quarantine_owner; create role quarantine_applier login; grant quarantine_owner to quarantine_applier",
    )
    try:
        for one in (url, other):
            name = ident(one.database)
            load(
                one,
                f"grant create on database {name} to quarantine_applier; grant create on schema public to quarantine_owner",
            )
        forced = "alter table bills enable row level security; alter table bills force row level security; create policy none on bills using (false);"
        owned = "".join(f"alter {what} owner to quarantine_owner;" for what in ("table firms", "table bills"))
        load(url, BILLS + ROWS + forced + owned)
        load(other, FIRMS + "alter table firms owner to quarantine_owner;")
        before, after = read(url), read(other)
        ways = (Context(before, after, "quarantine_applier"), Context(after, before, "quarantine_applier"))
        up, down = quarantine.kept(
            *(complete(way) for way in ways), before, after, applier="quarantine_applier"
        )
        for _ in range(2):
            for way, goal in ((up, after), (down, before)):
                with connect(url) as session:
                    session.execute("set session authorization quarantine_applier")
                    for step in steps(way):
                        run_step(session, step)
                assert residue(read(url), goal) == ()
        assert values(url, "select count(*) from bills") == [(20,)]
    finally:
        for one in (url, other):
            load(one, "drop owned by quarantine_applier, quarantine_owner cascade")
        load(url, "drop role quarantine_applier; drop role quarantine_owner")


TAKEN = {
    "schema": ("create schema reconciler_quarantine authorization {}", "belongs to a role"),
    "registry": (
        "create schema reconciler_quarantine; create table reconciler_quarantine.kept (tag text); alter table reconciler_quarantine.kept owner to {}",
        "belongs to a role",
    ),
    "grant": ("create schema reconciler_quarantine; grant usage on schema reconciler_quarantine to {}", "has USAGE"),
    "public": ("create schema reconciler_quarantine; grant create on schema reconciler_quarantine to public", "public has CREATE"),
}  # fmt: skip


@pytest.mark.parametrize("way", TAKEN)
def test_what_somebody_else_made_beforehand_is_not_used(
    way: str, server: Server, database: Callable[..., Url]
) -> None:
    """Its triggers and routines would run as whoever applies: here a superuser, who belongs to every role."""
    url, before, after = pair(database, BILLS, FIRMS, ROWS)
    up, _ = plans(before, after)
    made, said = TAKEN[way]
    load(url, "create role quarantine_intruder; " + made.format("quarantine_intruder"))
    try:
        with pytest.raises(Stalled, match=said):
            ran(url, up)
        assert values(url, "select count(*) from bills") == [(20,)]
    finally:
        load(url, "drop owned by quarantine_intruder cascade; drop role quarantine_intruder")


@pytest.mark.parametrize(
    "made",
    [
        "create trigger theirs before insert on reconciler_quarantine.kept execute function reconciler_quarantine.theirs()",
        "create rule theirs as on insert to reconciler_quarantine.kept do also notify theirs",
        "alter function reconciler_quarantine.theirs() owner to quarantine_intruder",
        "alter schema reconciler_quarantine owner to quarantine_intruder",
    ],
    ids=["trigger", "rule", "routine", "schema"],
)
def test_what_somebody_else_changed_is_not_used(
    made: str, server: Server, database: Callable[..., Url]
) -> None:
    url, before, after = pair(database, BILLS, FIRMS, ROWS)
    up, down = plans(before, after)
    ran(url, up)
    ran(url, down)
    body = "returns trigger language plpgsql as 'begin return new; end'"
    load(
        url,
        f"create role quarantine_intruder; create function reconciler_quarantine.theirs() {body}; {made}",
    )
    try:
        with pytest.raises(Stalled, match=r"not for its owner alone|belongs to a role"):
            ran(url, up)
        if made.startswith("alter schema"):
            load(url, "drop table bills")
            with pytest.raises(Stalled, match="belongs to a role"):
                ran(url, down)
    finally:
        load(url, "drop owned by quarantine_intruder cascade; drop role quarantine_intruder")


@pytest.mark.parametrize("owner", ["quarantine_applier", "quarantine_group"])
def test_an_administrator_may_prepare_it(owner: str, server: Server, database: Callable[..., Url]) -> None:
    """For whoever applies, or for a role that this one belongs to."""
    url, before, after = pair(database, BILLS, FIRMS, ROWS)
    load(
        url,
        "create role quarantine_group; create role quarantine_applier login; grant quarantine_group to quarantine_applier;"
        f"alter table firms owner to quarantine_applier; alter table bills owner to quarantine_applier;"
        f"grant create on schema public to quarantine_applier; create schema reconciler_quarantine authorization {owner}",
    )
    try:
        before = read(url)
        up, down = plans(before, after)
        for way, there in ((up, None), (down, "bills"), (up, None)):
            with connect(url) as session:
                session.execute("set session authorization quarantine_applier")
                for step in steps(tuple(s for s in way if "owner to" not in s.sql)):
                    run_step(session, step)
            assert values(url, "select to_regclass('bills')::text") == [(there,)]
    finally:
        load(
            url,
            "drop owned by quarantine_applier, quarantine_group cascade; drop role quarantine_applier; drop role quarantine_group",
        )


@pytest.mark.majors
@pytest.mark.parametrize("lacking", ["usage", "select", "role"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_who_may_not_look_is_told_so(
    size: str, lacking: str, server: Server, database: Callable[..., Url]
) -> None:
    """A DOWN that cannot see what is kept does not make an empty table of it, nor a column without values."""
    url, before, after = pair(database, BILLS + "alter table firms add column mood text;", FIRMS, ROWS)
    load(url, "update firms set mood = 'calm'")
    up, down = plans(before, after, large=size == "large")
    ran(url, up)
    load(url, "create role quarantine_keeper; create role quarantine_applier noinherit")
    closed = {
        "usage": "",
        "select": "grant usage on schema reconciler_quarantine to quarantine_applier",
        "role": "alter schema reconciler_quarantine owner to quarantine_keeper; alter table reconciler_quarantine.kept owner to"
        " quarantine_keeper; grant quarantine_keeper to quarantine_applier",
    }[lacking]
    load(
        url,
        f"grant create on schema public to quarantine_applier; alter table firms owner to quarantine_applier; {closed}",
    )
    owner = "quarantine_keeper" if lacking == "role" else server.url.user
    told = f"only {owner} may look into schema reconciler_quarantine"
    try:
        asking = [one for one in down if gives_back(one)]
        assert len(asking) > 3
        for one in asking:
            with connect(url) as session:
                session.execute("set role quarantine_applier")
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match=told) as refused:
                    session.execute(one.sql.encode())
            assert (refused.value.diag.message_hint or "").startswith(f"run this as {owner}")
        assert values(url, "select to_regclass('bills')::text, count(*) from reconciler_quarantine.kept") == [
            (None, 2)
        ]
        with connect(url) as session:
            session.execute("set role quarantine_applier")
            for look in (registry.tags, registry.kept):
                with pytest.raises(Stalled, match=f"only {owner} may see what is kept"):
                    look(session)
        load(
            url,
            "reassign owned by quarantine_applier, quarantine_keeper to current_user; drop owned by quarantine_applier",
        )
        ran(url, down)
        assert values(url, "select count(*) from bills") == [(20,)]
    finally:
        load(
            url,
            "reassign owned by quarantine_applier, quarantine_keeper to current_user; drop owned by quarantine_applier,"
            " quarantine_keeper; drop role quarantine_applier; drop role quarantine_keeper",
        )


@pytest.mark.majors
def test_a_large_partition_is_not_read_when_it_comes_back(
    server: Server, database: Callable[..., Url]
) -> None:
    days = """create table days (id bigint not null, firm integer references firms, day date not null) partition by range (day);
create table days_1 partition of days for values from ('2026-01-01') to ('2026-02-01');"""
    gone = "create table days_2 partition of days for values from ('2026-02-01') to ('2026-03-01');"
    rows = "insert into firms values (1); insert into days select n, 1, '2026-02-07' from generate_series(1, 50) as n;"
    url, before, after = pair(database, FIRMS + days + gone, FIRMS + days, rows)
    up, down = plans(before, after, large=True)
    definitions = dump(url, APART)
    ran(url, up)
    assert read(url).fingerprint == after.fingerprint
    load(url, "delete from firms")
    with pytest.raises(Stalled, match="50 rows"):
        ran(url, down)
    load(url, "insert into firms values (1)")
    with connect(url) as session:
        *ready, last = steps(down)
        for step in ready:
            run_step(session, step)
    with connect(url) as session, session.transaction():
        for statement in last.statements:
            session.execute(statement.sql.encode())
        read_rows = session.execute(
            "select sum(seq_tup_read) from pg_catalog.pg_stat_xact_user_tables where relname like 'days%'"
        ).fetchone()
    assert read_rows == (0,)
    assert difference(dump(url, APART), definitions) == ""
    assert values(url, "select count(*) from days") == [(50,)]
    ran(url, up)
    ran(url, down)
    assert read(url).fingerprint == before.fingerprint
