"""Values that a narrower type or a smaller enum changes: they are again what they were, unless somebody wrote others meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from corpus import load, read
from judge import difference, dump
from test_kept_columns import APART, rows, run

from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.plan import quarantine
from reconciler.plan.complete import complete
from reconciler.shadow import trial


@dataclass(frozen=True)
class Case:
    """`kept` is how many values do not come back by themselves; `edit` is written between UP and DOWN, `then` what DOWN makes of
    it: a query and its answer."""

    before: str
    after: str
    rows: str
    kept: int
    edit: str
    then: tuple[str, list[tuple[object, ...]]]
    becomes: Mapping[tuple[str, str], str] = field(default_factory=dict)


CASES = {
    "fewer_digits": Case(
        "create table t (id integer primary key, v numeric(10,4) not null)",
        "create table t (id integer primary key, v numeric(10,2) not null)",
        "insert into t select n, n / 8.0 from generate_series(1, 40) as n",
        20,
        "update t set v = 7 where id = 1",
        ("select id, v::text from t where id in (1, 3) order by 1", [(1, "7.0000"), (3, "0.3750")]),
    ),
    "fewer_letters_under_a_view_and_a_trigger": Case(
        "create table t (id integer primary key, v text); create view seen as select v from t;"
        " create function f() returns trigger language plpgsql as 'begin new.v := ''triggered''; return new; end';"
        " create trigger g before update on t for each row execute function f(); alter table t enable always trigger g",
        "create table t (id integer primary key, v varchar(3)); create view seen as select v from t;"
        " create function f() returns trigger language plpgsql as 'begin new.v := ''triggered''; return new; end';"
        " create trigger g before update on t for each row execute function f(); alter table t enable always trigger g",
        "insert into t values (1, 'abcdef'), (2, 'ab'), (3, null), (4, 'ab   ')",
        2,
        "insert into t values (5, 'new')",
        ("select id, v from t order by 1", [(1, "abcdef"), (2, "ab"), (3, None), (4, "ab   "), (5, "new")]),
    ),
    "a_moment_becomes_a_day_and_there_is_no_key": Case(
        "create table t (what json, v timestamp)",
        "create table t (what json, v date)",
        "insert into t select '1', timestamp '2020-01-01 00:00' + n * interval '6 hours' from generate_series(0, 9) as n;"
        " insert into t values (null, 'infinity')",
        7,
        "insert into t values ('2', '2021-01-01')",
        ("select v::text from t where what::text = '2'", [("2021-01-01 00:00:00",)]),
    ),
    "a_text_becomes_a_number_in_a_partition": Case(
        "create table t (id integer primary key, v text) partition by hash (id);"
        " create table t0 partition of t for values with (modulus 2, remainder 0);"
        " create table t1 partition of t for values with (modulus 2, remainder 1)",
        "create table t (id integer primary key, v integer) partition by hash (id);"
        " create table t0 partition of t for values with (modulus 2, remainder 0);"
        " create table t1 partition of t for values with (modulus 2, remainder 1)",
        "insert into t select n, repeat('0', n % 3) || n from generate_series(1, 40) as n",
        27,
        "update t set v = 99 where id = 1",
        ("select v from t where id in (1, 2) order by id", [("99",), ("002",)]),
    ),
    "an_enum_loses_values": Case(
        "create type mood as enum ('low', 'mid', 'high', 'odd'); create table t (id integer primary key, v mood not null default"
        " 'mid', vs mood[], w text)",
        "create type mood as enum ('low', 'high'); create table t (id integer primary key, v mood not null default 'low', vs mood[],"
        " w text)",
        "insert into t select n, (array['low', 'mid', 'high', 'odd'])[1 + n % 4]::mood, array['mid', 'low']::mood[] from"
        " generate_series(1, 20) as n; insert into t values (50, 'low', null), (51, 'high', '{high}')",
        30,
        "update t set v = 'high' where id = 1; update t set vs = '{}' where id = 2; insert into t values (60)",
        (
            "select id, v::text, vs::text from t where id in (1, 2, 3, 5, 60) order by 1",
            [(1, "high", "{mid,low}"), (2, "high", "{}"), (3, "odd", "{mid,low}"), (5, "mid", "{mid,low}"), (60, "low", None)],
        ),
        {("mood", "mid"): "low", ("mood", "odd"): "high"},
    ),
    "the_last_value_of_an_enum_goes": Case(
        "create type mood as enum ('low', 'high', 'odd'); create table t (id integer primary key, v mood)",
        "create type mood as enum ('low', 'high'); create table t (id integer primary key, v mood)",
        "insert into t select n, (array['low', 'high', 'odd'])[1 + n % 3]::mood from generate_series(1, 9) as n",
        3,
        "insert into t values (60, 'high')",
        ("select v::text from t where id in (2, 60) order by id", [("odd",), ("high",)]),
        {("mood", "odd"): "high"},
    ),
}  # fmt: skip


@pytest.mark.majors
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("name", CASES)
def test_values_are_what_they_were(
    server: Server, database: Callable[..., Url], name: str, size: str
) -> None:
    case = CASES[name]
    old, new = database(), database()
    load(old, case.before)
    load(new, case.after)
    before, after = read(old), read(new)
    load(old, case.rows)
    fills = {ObjectId("enum_value", "public", enum, was): now for (enum, was), now in case.becomes.items()}
    up, down = (
        complete(Context(before, after, "postgres", fills)),
        complete(Context(after, before, "postgres")),
    )
    large = [id for id in before.facts if id.kind == "table"] if size == "large" else []
    up, down = quarantine.kept(up, down, before, after, applier="postgres", large=large, fills=fills)
    dumps = {"up": dump(new, APART), "down": dump(old, APART)}
    first = rows(old, before)
    for way, statements, goal in (
        ("up", up, after), ("up", up, after), ("down", down, before), ("down", down, before), ("up", up, after),
    ):  # fmt: skip
        run(old, statements)
        assert residue(read(old), goal) == (), way
        assert difference(dump(old, APART), dumps[way]) == "", way
        if way == "down":
            assert rows(old, before) == first
    with connect(old) as session:
        copies = session.execute("select kept_as from reconciler_quarantine.kept order by 1").fetchall()
        total = 0
        for (copy,) in copies:
            found = session.execute(
                f'select count(*) from reconciler_quarantine."{copy}"'.encode()
            ).fetchone()
            total += found[0] if found else 0
    assert total == case.kept
    load(old, case.edit)
    run(old, down)
    assert residue(read(old), before) == ()
    query, answer = case.then
    with connect(old) as session:
        assert session.execute(query.encode()).fetchall() == answer


def test_rows_without_a_key_that_only_a_changed_column_tells_apart_keep_their_values_in_quarantine(
    server: Server, database: Callable[..., Url]
) -> None:
    """Two rows are the same in what stays, and were moved: nothing says which had which value, so neither gets one."""
    old, new = database(), database()
    load(old, "create table bag (what text, kind varchar(20), shade text, v numeric(10,4))")
    load(new, "create table bag (what text, kind text, v numeric(10,2))")
    before, after = read(old), read(new)
    load(
        old,
        "insert into bag values ('x', 'a', 's1', 0.125), ('x', 'b', 's2', 0.126), ('y', 'a', 's3', 1), ('y', 'b', 's3', 1),"
        " ('z', 'a', 's4', 0.127)",
    )
    context = Context(before, after, "postgres")
    back = Context(after, before, "postgres")
    up, down = quarantine.kept(
        complete(context), complete(back), before, after, applier="postgres", large=[], fills={}
    )
    goes = next(s for s in up if s.subject is not None and "drop column" in s.sql)
    assert any("where that tells them apart" in hazard.consequence for hazard in goes.hazards)
    run(old, up)
    load(old, "update bag set kind = kind where kind = 'a' and what <> 'z'")
    run(old, down)
    assert residue(read(old), before) == ()
    with connect(old) as session:
        found = session.execute("select what, kind, shade, v::text from bag order by 1, 2").fetchall()
        left = session.execute(
            "select (names ->> 'lost')::int from reconciler_quarantine.kept where tag like 'given back %' order by 1"
        ).fetchall()
    assert found == [
        ("x", "a", None, "0.1300"), ("x", "b", None, "0.1300"), ("y", "a", "s3", "1.0000"), ("y", "b", "s3", "1.0000"),
        ("z", "a", "s4", "0.1270"),
    ]  # fmt: skip
    assert left == [(2,), (2,)]


CAST = (
    "create function {0}_said({0}) returns text language plpgsql immutable as 'begin raise exception ''somebody else''; end';"
    " create cast ({0} as text) with function {0}_said({0}) as assignment;"
)


@pytest.mark.parametrize("size", ["small", "large"])
def test_no_cast_to_text_of_somebody_elses_is_used(
    server: Server, database: Callable[..., Url], size: str
) -> None:
    """What is kept is what the types print, also of arrays and domains, whatever a cast to text would make of it or do."""
    old, new = database(), database()
    types = (
        "create type mood as enum ({0}); create type tone as enum ('x', 'y'); create domain filled as tone not null;"
        " create domain feeling as tone check (value is {1} null);"
        + CAST.format("mood")
        + CAST.format("tone")
    )
    stays = "create table t (id integer primary key, m mood, ms mood[], b tone); create table bag (m mood, what json);"
    gone = (
        "create table gone (id integer primary key, m mood, ms mood[], at daterange[], f feeling, fs feeling[], k mood, unique (k));"
        " create table lost (id integer primary key, n filled)"
    )
    load(old, types.format("'a', 'b, ''c''', 'd'", "not") + stays + gone)
    load(new, types.format("'a', 'd'", "") + stays + "create table lost (id integer primary key)")
    before, after = read(old), read(new)
    load(
        old,
        "set datestyle = 'SQL, DMY'; insert into t values (1, 'b, ''c''', array['a', 'b, ''c''', null]::mood[], 'x'),"
        " (2, null, null, null), (3, 'd', '[0:0]={d}', 'y'); insert into bag values ('b, ''c''', '1'), ('a', '1');"
        " insert into gone select id, m, ms, array['[2026-02-01,2026-02-03)'::daterange], 'x', array['y'::feeling], m from t;"
        " insert into lost values (1, 'x'), (2, 'y')",
    )
    fills = {ObjectId("enum_value", "public", "mood", "b, 'c'"): "a"}
    downs = {ObjectId("column", "public", "lost", "n"): "'x'::tone"}
    up, down = (
        complete(Context(before, after, "postgres", fills)),
        complete(Context(after, before, "postgres", downs)),
    )
    large = [id for id in before.facts if id.kind == "table"] if size == "large" else []
    up, down = quarantine.kept(
        up, down, before, after, applier="postgres", large=large, fills=fills, downs=downs
    )
    first = rows(old, before)
    for _ in range(2):
        with connect(old) as session:
            session.execute("set datestyle = 'SQL, MDY'")
            trial.run(session, up)
        assert residue(read(old), after) == ()
        run(old, down)
        assert residue(read(old), before) == ()
        assert rows(old, before) == first
    run(old, up)
    load(old, "insert into lost values (3)")
    run(old, down)
    with connect(old) as session:
        found = session.execute("select pg_catalog.format('%s', r.n) from lost as r where id = 3").fetchall()
    assert found == [("x",)]
