"""Columns that are dropped in quarantine form: their values come back, whatever finds their rows and whatever stands around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pytest
from corpus import load, read
from judge import difference, dump

from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.errors import Stalled
from reconciler.model import HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.plan import quarantine
from reconciler.plan.complete import complete
from reconciler.shadow import trial
from reconciler.shadow.rows import hashed, stored_columns

APART = "--exclude-schema=reconciler_quarantine"


@dataclass(frozen=True)
class Case:
    """`before` and `after` are scripts of both states; `rows` fill the first, `more` adds rows to the second and `then` says what
    DOWN makes of them: a query and its answer. `downs` are declared values by `table.column`."""

    before: str
    after: str
    rows: str
    more: str = ""
    then: tuple[str, list[tuple[object, ...]]] | None = None
    downs: Mapping[str, str] = field(default_factory=dict)


MANY = "generate_series(1, 40) as n"
IN_EVERY_STATE = "".join(
    f"create trigger {state} before update on t for each row execute function noted();"
    f"alter table t {words} trigger {state};"
    for state, words in (
        ("plain", "enable"),
        ("always", "enable always"),
        ("replica", "enable replica"),
        ("off", "disable"),
    )
)
CASES = {
    "a_primary_key": Case(
        "create table notes (id integer primary key, mood text, body text not null)",
        "create table notes (id integer primary key, mood text)",
        f"insert into notes select n, nullif('m' || n % 3, 'm0'), 'b' || n from {MANY}",
        "insert into notes values (100, 'new')",
        ("select body from notes where id = 100", [("unknown",)]),
        {"notes.body": "'unknown'"},
    ),
    "a_default_for_the_others": Case(
        "create table notes (id integer primary key, mood text default 'calm')",
        "create table notes (id integer primary key)",
        f"insert into notes select n, case when n % 4 > 0 then 'm' || n end from {MANY}",
        "insert into notes values (100)",
        ("select mood from notes where id = 100", [("calm",)]),
    ),
    "a_null_is_a_value_too": Case(
        "create table notes (id integer primary key, mood text)",
        "create table notes (id integer primary key)",
        f"insert into notes select n, case when n % 4 > 0 then 'm' || n end from {MANY}",
        "insert into notes values (100)",
        ("select id, mood from notes where id in (4, 100) order by id", [(4, None), (100, "unknown")]),
        {"notes.mood": "'unknown'"},
    ),
    "two_columns_quoted_names_composite_key": Case(
        'create schema "A b"; create table "A b"."No tes" ("Key 1" text collate "C", "k""2" integer, "V, 1" text not null,'
        ' "order" numeric(6,2), rest text, primary key ("Key 1", "k""2"))',
        'create schema "A b"; create table "A b"."No tes" ("Key 1" text collate "C", "k""2" integer, rest text,'
        ' primary key ("Key 1", "k""2"))',
        f"""insert into "A b"."No tes" select 'x' || n % 3, n, 'v' || n, n / 7.0, 'r' from {MANY}""",
    ),
    "no_key_and_types_without_equality": Case(
        "create table bag (what json, place point, shade text, tone text)",
        "create table bag (what json, place point)",
        "insert into bag select '{\"a\": 1}', '(1,2)', 's' || n % 5, 't' || n % 7 from generate_series(1, 30) as n;"
        " insert into bag values (null, null, 'x', null), (null, null, null, 'y')",
        "insert into bag values ('7', null)",
        ("select shade, tone from bag where what::text = '7'", [(None, None)]),
    ),
    "the_key_goes_too": Case(
        "create table t (id integer primary key, code text not null unique, v text)",
        "create table t (code text not null unique, v text)",
        f"insert into t select n, 'c' || n, 'v' from {MANY}",
        "insert into t values ('new', 'v')",
        ("select id from t where code = 'new'", [(1000,)]),
        {"t.id": "1000"},
    ),
    "an_identity_goes_on": Case(
        "create table t (code text primary key, id bigint generated always as identity (start 5 increment 2) unique)",
        "create table t (code text primary key)",
        f"insert into t select 'c' || n from {MANY}; delete from t where code in ('c40', 'c39')",
        "insert into t values ('new')",
        ("insert into t values ('newer') returning (select id from t where code = 'new'), id", [(85, 87)]),
    ),
    "a_serial_goes_on": Case(
        "create sequence numbers; create table t (code text primary key, id integer not null default nextval('numbers') unique)",
        "create sequence numbers; create table t (code text primary key)",
        f"insert into t select 'c' || n from {MANY}",
        "insert into t values ('new')",
        ("select id from t where code = 'new'", [(41,)]),
    ),
    "a_serial_that_goes_with_its_sequence": Case(
        "create table t (code text primary key, id serial unique)",
        "create table t (code text primary key)",
        f"insert into t select 'c' || n from {MANY}; delete from t where id > 38",
        "insert into t values ('new')",
        ("insert into t values ('newer') returning (select id from t where code = 'new'), id", [(41, 42)]),
    ),
    "a_table_that_is_partitioned_meanwhile": Case(
        "create table t (id integer primary key, v text default 'none', w text)",
        "create table t (id integer primary key, w text) partition by range (id); create table t_rest partition of t default",
        f"insert into t select n, nullif('v' || n, 'v3'), 'w' from {MANY}",
        "insert into t values (100, 'w')",
        ("select v from t where id = 100", [("none",)]),
    ),
    "an_enum_that_goes_with_its_column": Case(
        "create type mood as enum ('a', 'b,c'); create domain name as text check (value <> '');"
        " create type pair as (x integer, y mood);"
        " create table t (id integer primary key, m mood not null, ms mood[], p pair, n name, d pair[])",
        "create table t (id integer primary key)",
        "insert into t values (1, 'a', '{a,\"b,c\"}', '(1,a)', 'x', array[row(1, 'b,c')::pair, null]),"
        " (2, 'b,c', '{}', '(,)', null, null), (3, 'a', null, null, 'y', '{}')",
        "insert into t values (4)",
        ("select m::text from t where id = 4", [("a",)]),
        {"t.m": "'a'"},
    ),
    "a_domain_that_refuses_null": Case(
        "create domain filled as text not null check (value <> ''); create table t (id integer primary key, n filled)",
        "create domain filled as text not null check (value <> ''); create table t (id integer primary key)",
        f"insert into t select n, 'n' || n from {MANY}",
        "insert into t values (100)",
        ("select n::text from t where id = 100", [("none",)]),
        {"t.n": "'none'"},
    ),
    "partitions": Case(
        "create table p (id integer, at date, v text, w integer, u text not null, primary key (id, at)) partition by range (at);"
        " create table p1 partition of p for values from ('2020-01-01') to ('2021-01-01');"
        " create table p2 (at date not null, junk int, w integer, v text, u text constraint p_u_not_null not null, id integer not null);"
        " alter table p2 drop column junk; alter table p attach partition p2 default",
        "create table p (id integer, at date, primary key (id, at)) partition by range (at);"
        " create table p1 partition of p for values from ('2020-01-01') to ('2021-01-01');"
        " create table p2 partition of p default",
        f"insert into p select n, date '2020-12-20' + n, 'v' || n, n, 'u' || n from {MANY}",
    ),
    "children": Case(
        "create table a (id integer primary key, v text); create table b (w text) inherits (a);"
        " create table c (v text) inherits (a)",
        "create table a (id integer primary key); create table b (w text) inherits (a); create table c (v text) inherits (a)",
        f"insert into a select n, 'a' || n from {MANY}; insert into b select n, 'b' || n, 'w' from {MANY};"
        f" insert into c select n, 'c' || n from {MANY}",
    ),
    "used_everywhere": Case(
        "create table t (id integer primary key, v integer not null check (v > 0), twice integer generated always as (v * 2) stored);"
        " create index t_v on t (v); create view visible as select id, v from t; alter table t enable row level security;"
        " create policy seen on t using (v > 3); create unique index t_u on t (v, id);"
        " create statistics st on id, v from t; comment on column t.v is 'value'; grant select (v) on t to public;"
        " create table other (v integer, t integer references t); alter table t add constraint uv unique (v);"
        " alter table other add foreign key (v) references t (v)",
        "create table t (id integer primary key); create view visible as select id from t; alter table t enable row level security;"
        " create table other (v integer, t integer references t)",
        f"insert into t select n, n + 7 from {MANY}; insert into other select n + 7, n from {MANY}",
    ),
    "triggers_and_rules_in_every_state": Case(
        "create table log (what text);"
        " create function noted() returns trigger language plpgsql as 'begin insert into log values (tg_name); return new; end';"
        " create table t (id integer primary key, v text not null);"
        + IN_EVERY_STATE
        + "create rule r as on update to t do also insert into log values ('rule'); alter table t enable always rule r",
        "create table log (what text);"
        " create function noted() returns trigger language plpgsql as 'begin insert into log values (tg_name); return new; end';"
        " create table t (id integer primary key);"
        + IN_EVERY_STATE
        + "create rule r as on update to t do also insert into log values ('rule'); alter table t enable always rule r",
        f"insert into t select n, 'v' || n from {MANY}",
        "",
        ("select count(*)::integer from log", [(0,)]),
    ),
    "columns_made_and_dropped_at_once": Case(
        "create table t (id integer primary key, a text not null, b integer default 3)",
        "create table t (id integer primary key, c text, d integer not null default 4)",
        f"insert into t select n, 'a' || n, nullif(n % 5, 0) from {MANY}",
        "insert into t values (100, 'c', 5)",
        ("select a, b from t where id = 100", [("fresh", 3)]),
        {"t.a": "'fresh'"},
    ),
    "computed_from_values_from_then_on": Case(
        "create table t (id integer primary key, v integer)",
        "create table t (id integer primary key, v integer generated always as (id * 2) stored)",
        f"insert into t select n, n * 3 from {MANY}",
    ),
    "system_values_to_the_byte": Case(
        "create table t (id uuid primary key, f double precision, r real, i interval, z timestamptz, m money, b bytea, n numeric,"
        " s \"char\", bits bit varying, j jsonb, ip inet, o regclass, tags text[])",
        "create table t (id uuid primary key)",
        "insert into t select gen_random_uuid(), 'nan', 1e-30, '1 mon -2 days 03:04:05.678', 'infinity', 12.5, '\\x00ff',"
        " 1.2300, 'x', '101', '{\"b\":1}', '10.0.0.1/8', 'pg_class', array[null, '', 'a,b']; insert into t values (gen_random_uuid())",
    ),
}  # fmt: skip


def run(url: Url, statements: Iterable[Statement]) -> None:
    with connect(url) as session:
        trial.run(session, statements)


def rows(url: Url, state: Snapshot) -> Mapping[ObjectId, tuple[int, str]]:
    with connect(url) as session:
        return hashed(session, stored_columns(state))


def plans(
    before: Snapshot,
    after: Snapshot,
    downs: Mapping[str, str] = MappingProxyType({}),
    *,
    large: bool = False,
    applier: str = "postgres",
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    declared = {ObjectId("column", "public", *name.split(".")): value for name, value in downs.items()}
    up = complete(Context(before, after, applier))
    down = complete(Context(after, before, applier, declared))
    tables = [id for id in before.facts if id.kind == "table"] if large else []
    return quarantine.kept(up, down, before, after, applier=applier, large=tables, downs=declared)


@pytest.mark.majors
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("name", CASES)
def test_values_come_back(server: Server, database: Callable[..., Url], name: str, size: str) -> None:
    case = CASES[name]
    old, new = database(), database()
    load(old, case.before)
    load(new, case.after)
    before, after = read(old), read(new)
    load(old, case.rows)
    up, down = plans(before, after, case.downs, large=size == "large")
    dumps = {"up": dump(new, APART), "down": dump(old, APART)}
    first = rows(old, before)
    assert any(count for count, _ in first.values())
    for way, statements, goal in (
        ("up", up, after), ("up", up, after), ("down", down, before), ("down", down, before), ("up", up, after),
        ("down", down, before),
    ):  # fmt: skip
        run(old, statements)
        assert residue(read(old), goal) == (), way
        assert difference(dump(old, APART), dumps[way]) == "", way
        if way == "down":
            assert rows(old, before) == first
    if case.more:
        run(old, up)
        load(old, case.more)
        run(old, down)
        assert residue(read(old), before) == ()
    if case.then:
        query, answer = case.then
        with connect(old) as session:
            assert session.execute(query.encode()).fetchall() == answer


@pytest.mark.parametrize("size", ["small", "large"])
def test_an_owner_who_may_not_see_his_rows(server: Server, database: Callable[..., Url], size: str) -> None:
    """FORCE hides all rows from him: none of them is lost in silence, and it is there again."""
    old, new = database(), database()
    role = f"owner_{old.database}"
    with connect(server.url) as admin:
        admin.execute(f"create role {role}".encode())
    try:
        for url, columns in (
            (old, "id integer primary key, v text not null"),
            (new, "id integer primary key"),
        ):
            load(
                url,
                f"create table t ({columns}); alter table t owner to {role}; alter table t enable row level security;"
                f" alter table t force row level security; create policy none on t using (id > 100);"
                f" grant create on database {url.database} to {role}",
            )
        load(old, "insert into t select n, 'v' || n from generate_series(1, 50) as n")
        before, after = read(old), read(new)
        up, down = plans(before, after, large=size == "large", applier=role)
        first = rows(old, before)
        for statements, goal in ((up, after), (down, before)):
            with connect(old) as session:
                trial.run(session, statements, role=role)
            assert read(old).fingerprint == goal.fingerprint
        assert rows(old, before) == first
    finally:
        with connect(old) as session:
            session.execute(f"drop owned by {role} cascade".encode())
        with connect(new) as session:
            session.execute(f"drop owned by {role} cascade".encode())
        with connect(server.url) as admin:
            admin.execute(f"drop role {role}".encode())


def test_the_plan_says_what_nothing_fills(server: Server, database: Callable[..., Url]) -> None:
    old, new = database(), database()
    load(old, "create table t (id integer primary key, v text not null, w text not null default 'w', x text)")
    load(new, "create table t (id integer primary key)")
    before, after = read(old), read(new)
    up, down = plans(before, after)
    said = [h.consequence for s in up for h in s.hazards if h.code is HazardCode.DEPENDS_ON_DATA]
    assert len(said) == 1
    assert "v is NOT NULL" in said[0]
    assert "column v down EXPRESSION" in said[0]
    told, _ = plans(before, after, {"t.v": "'known'"})
    assert [h for s in told for h in s.hazards if h.code is HazardCode.DEPENDS_ON_DATA] == []
    load(old, "insert into t (id, v) values (1, 'v1')")
    for with_kept in (True, False):
        run(old, up)
        if not with_kept:
            load(old, "delete from reconciler_quarantine.kept")
        load(old, "insert into t values (2)")
        with pytest.raises(Stalled, match="NOT NULL") as refused:
            run(old, down)
        assert "add the column yourself" in str(refused.value.__cause__)
        load(
            old,
            f"alter table t add v text; update t set v = 'by hand' where id = 2 or id = 1 and not {with_kept}",
        )
        run(old, down)
        with connect(old) as session:
            found = session.execute("select id, v from t order by id").fetchall()
        assert found == [(1, "v1" if with_kept else "by hand"), (2, "by hand")]
        load(old, "delete from t where id = 2")


def test_rows_that_are_gone_keep_their_values_in_quarantine(
    server: Server, database: Callable[..., Url]
) -> None:
    old, new = database(), database()
    load(old, "create table t (id integer primary key, v text)")
    load(new, "create table t (id integer primary key)")
    before, after = read(old), read(new)
    load(old, "insert into t values (1, 'a'), (2, 'b')")
    up, down = plans(before, after)
    for _ in range(2):
        run(old, up)
        load(old, "delete from t where id = 2")
        run(old, down)
        load(old, "insert into t values (2, 'c')")
    with connect(old) as session:
        kept = session.execute(
            "select kept_as, tag like 'given back %' from reconciler_quarantine.kept order by id"
        ).fetchall()
        names = [name for name, _ in kept]
        values = [
            session.execute(f'table reconciler_quarantine."{name}" order by 1'.encode()).fetchall()
            for name in names
        ]
    assert names[0] == f"{names[1]}_2"
    assert [given for _, given in kept] == [True, True]
    assert values == [[(1, "a"), (2, "b")], [(1, "a"), (2, "c")]]
