"""What the rows of the live database say to a plan before it runs: how many are in the way, which, whose rule, and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare
from reconciler.catalog.scope import EVERYTHING
from reconciler.engine.applying import apply, rollback
from reconciler.engine.asking import Found, Undecided
from reconciler.engine.drift import drift
from reconciler.engine.planning import propose
from reconciler.engine.preflight import Answers, ask_rows
from reconciler.errors import Stalled
from reconciler.model import ObjectId, Statement
from reconciler.pg import Secret, Url, connect
from reconciler.plan.doubts import Doubted

from .conftest import Project

Make = Callable[..., Project]
Databases = Callable[..., Url]


def state(url: Url, sql: str) -> catalog.Snapshot:
    with connect(url) as connection:
        connection.execute(sql.encode())
        return catalog.read(connection, EVERYTHING)


def asked(
    databases: Databases,
    live: str,
    wanted: str,
    *,
    moved: dict[ObjectId, ObjectId] | None = None,
    fills: dict[ObjectId, str] | None = None,
    statements: tuple[Statement, ...] = (),
    limit: float = 20,
    url: Callable[[Url], Url] = lambda url: url,
) -> Answers:
    """What the rows of a database made by `live` say to a change into one made by `wanted`."""
    here = databases()
    before, after = state(here, live), state(databases(), wanted)
    plan = Doubted(before, after, compare(before, after), statements, moved or {}, fills or {})
    return ask_rows(url(here), plan, {}, limit=limit)


def sentences(answers: Answers) -> list[str]:
    return [one.sentence for one in (*answers.found, *answers.undecided)]


T = "create table t (id int primary key, a int, s text, n numeric(10,4), at date)"
ROWS = (
    "; insert into t select i, case when i <> 4 then i % 3 end, case when i = 5 then 'x' else i::text end, 1.25, '2024-01-01'::date + i"
    " from generate_series(1, 10) as i"
)

CASES = {
    "not null": ("alter column a set not null", "1 row of public.t has no a, and it has to have a value from then on (id = 4)"),
    "check": ("add check (a < 2)", "3 rows of public.t break check public.t.t_a_check: (a < 2) (id = 2, 5, 8)"),
    "a check that divides by zero": (
        "add constraint c check (10 / a > 0)",
        "check public.t.c cannot be computed for 3 rows of public.t (id = 3, 6, 9)",
    ),
    "unique": (
        "add unique (a)",
        "9 rows of public.t share the key (a) with another, and unique constraint public.t.t_a_key allows each once"
        " (id = 1, 2, 3, 5, 6, …)",
    ),
    "primary key": (
        "drop constraint t_pkey, add primary key (a)",
        "1 row of public.t has no a, and it has to have a value from then on (id = 4)",
    ),
    "exclusion": (
        "add constraint x exclude using gist (int4range(id, id + a) with &&) where (a > 1)",
        None,
    ),
    "cast that fails": (
        "alter column s type integer using s::integer",
        "1 row of public.t holds a value in s that cannot become integer (id = 5)",
    ),
    "cast that loses": (
        "alter column n type numeric(10,1)",
        "10 rows of public.t hold a value in n that numeric(10,1) would change (id = 1, 2, 3, 4, 5, …)",
    ),
}  # fmt: skip


@pytest.mark.majors
@pytest.mark.parametrize("case", CASES)
def test_each_rule_is_asked_of_the_rows(database: Databases, case: str) -> None:
    action, told = CASES[case]
    answers = asked(database, T + ROWS, f"{T}; alter table t {action}")
    assert (told in sentences(answers)) if told else sentences(answers) == []
    assert answers.asked and not answers.undecided


@pytest.mark.majors
def test_the_database_would_have_said_the_same(database: Databases) -> None:
    """Each rule that the preflight refuses, PostgreSQL refuses; each that it passes, PostgreSQL takes."""
    for action, told in CASES.values():
        url = database()
        state(url, T + ROWS)
        with connect(url) as connection:
            if told and "would change" not in told:
                with pytest.raises(psycopg.Error):
                    connection.execute(f"alter table t {action}".encode())
            else:
                connection.execute(f"alter table t {action}".encode())


@pytest.mark.majors
def test_orphans_simple_and_full(database: Databases) -> None:
    tables = "create table p (x int, y int, unique (x, y)); create table c (id int primary key, x int, y int)"
    rows = "; insert into p values (1, 1); insert into c values (1, 1, 1), (2, 1, 2), (3, 1, null), (4, null, null)"
    key = "; alter table c add constraint fk foreign key (x, y) references p (x, y)"
    told = "of public.c {} by (x, y) to no row of public.p, and foreign key public.c.fk asks for one"
    assert sentences(asked(database, tables + rows, tables + key)) == [
        "1 row " + told.format("refers") + " (id = 2)"
    ]
    full = asked(database, tables + rows, f"{tables}{key} match full")
    assert sentences(full) == ["2 rows " + told.format("refer") + " (id = 2, 3)"]


def test_keys_with_expressions_where_and_nulls(database: Databases) -> None:
    live = "create table t (id int primary key, s text); insert into t values (1, 'A'), (2, 'a'), (3, null), (4, null);"
    several = (
        "create index n on t (s); create unique index u on t (s); create unique index a on t (lower(s)); create unique index b on t (lower(s)) where id > 1;"
        "create unique index c on t (s) nulls not distinct; alter table t add constraint d unique nulls not distinct (s)"
    )
    quiet = live.replace("insert into t values (1, 'A'), (2, 'a'), (3, null), (4, null);", "")
    # The same question is asked once: what forbids the index c, forbids the constraint d.
    found = asked(database, live, quiet + several).found
    assert [(one.doubt.subject.name, one.doubt.subject.part, one.count) for one in found] == [
        ("t", "d", 2), ("a", "", 2),
    ]  # fmt: skip


def test_keys_under_a_collation_that_takes_letters_for_equal(database: Databases) -> None:
    live = "create table t (id int primary key, s text); insert into t values (1, 'x'), (2, 'X');"
    collation = "create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
    try:
        state(database(), collation)
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server was built without ICU")
    found = asked(
        database,
        collation + live,
        f"{collation}create table t (id int primary key, s text); create unique index i on t (s collate ci)",
    )
    assert [one.count for one in found.found] == [2]


@pytest.mark.majors
def test_a_domain_is_asked_of_every_column_of_it(database: Databases) -> None:
    tables = "; create domain outer_d as d; create table t (id int primary key, a d, b outer_d); create table u (id int primary key, a d)"
    rows = "; insert into t values (1, -1, 1), (2, 1, -1); insert into u values (7, -1), (8, null)"
    answers = asked(
        database,
        f"create domain d as int{tables}{rows}",
        f"create domain d as int not null check (value > 0){tables}",
    )
    rule = "a value that check public.d.d_check forbids: (VALUE > 0)"
    assert sorted(sentences(answers)) == sorted([
        f"1 row of public.t holds in a {rule} (id = 1)", f"1 row of public.t holds in b {rule} (id = 2)",
        f"1 row of public.u holds in a {rule} (id = 7)",
        "1 row of public.u holds in a nothing, and domain public.d has to have a value (id = 8)",
    ])  # fmt: skip


def test_a_new_domain_and_a_new_enum_for_a_column_that_exists(database: Databases) -> None:
    live = "create table t (id int primary key, a int, s text); insert into t values (1, -1, 'red'), (2, 2, 'gren')"
    wanted = (
        "create domain d as int check (value > 0); create type colour as enum ('red', 'green');"
        " create table t (id int primary key, a d, s colour)"
    )
    assert sentences(asked(database, live, wanted)) == [
        "1 row of public.t holds in a a value that check public.d.d_check forbids: (VALUE > 0) (id = 1)",
        "1 row of public.t holds a value in s that public.colour does not have (id = 2)",
    ]


@pytest.mark.majors
def test_partitions(database: Databases) -> None:
    parent = "create table p (id int, at date) partition by range (at);"
    live = (
        parent
        + "create table p_rest partition of p default; create table loose (id int primary key, at date);"
        "insert into p values (1, '2024-05-01'), (2, '2026-05-01'); insert into loose values (3, '2025-02-01'), (4, '2024-02-01'), (5, null)"
    )
    wanted = (
        parent + "create table p_rest partition of p default;"
        "create table p_2024 partition of p for values from ('2024-01-01') to ('2025-01-01');"
        "create table loose (id int primary key, at date);"
        "alter table p attach partition loose for values from ('2025-01-01') to ('2026-01-01')"
    )
    told = sentences(asked(database, live, wanted))
    assert [t.replace("FOR VALUES ", "") for t in told] == [
        "2 rows of public.loose do not belong into partition public.loose FROM ('2025-01-01') TO ('2026-01-01') (id = 4, 5)",
        "1 row of public.p_rest, the default partition, belongs into the new partition public.p_2024 FROM ('2024-01-01') TO"
        " ('2025-01-01') (ctid = (0,1))",
    ]


def test_a_table_that_becomes_partitioned(database: Databases) -> None:
    live = "create table t (id int, k text); insert into t values (1, 'a'), (2, 'c'), (3, null), (4, 'b')"
    wanted = (
        "create table t (id int, k text) partition by list (k); create table t_a partition of t for values in ('a', null);"
        "create table t_b partition of t for values in ('b') partition by range (id);"
        "create table t_b1 partition of t_b for values from (minvalue) to (4)"
    )
    assert sentences(asked(database, live, wanted)) == [
        "2 rows of public.t fit no partition of public.t (ctid = (0,2), (0,4))"
    ]
    hashed = "create table t (id int, k text) partition by hash (id); create table t_0 partition of t for values with (modulus 1, remainder 0)"
    (undecided,) = asked(database, live, hashed).undecided
    assert "hash" in undecided.sentence


def test_rows_are_asked_as_they_will_be(database: Databases) -> None:
    """Under their new names, with their fills, and with what a new column gets by default."""
    live = "create table people (id int primary key, name text, age text); insert into people values (1, 'Ada', '36'), (2, null, '45')"
    wanted = (
        "create table persons (id int primary key, called text not null, age int check (age < 40), kind text not null default 'x' unique,"
        " token uuid not null default gen_random_uuid() unique, code int not null)"
    )
    old, new = ObjectId("table", "public", "people"), ObjectId("table", "public", "persons")
    moved = {old: new, ObjectId("column", *old[1:3], "name"): ObjectId("column", *new[1:3], "called")}
    moved |= {ObjectId("column", *old[1:3], c): ObjectId("column", *new[1:3], c) for c in ("id", "age")}
    moved |= {
        ObjectId("constraint", *old[1:3], "people_pkey"): ObjectId("constraint", *new[1:3], "persons_pkey")
    }
    fills = {
        ObjectId("column", *new[1:3], "called"): "'nobody ' || id", ObjectId("column", *new[1:3], "code"): "id * 10"
    }  # fmt: skip
    answers = asked(database, live, wanted, moved=moved, fills=fills)
    assert [one.doubt.subject.part for one in answers.found] == ["persons_age_check", "persons_kind_key"]
    assert all("of public.people " in sentence for sentence in sentences(answers))
    assert not answers.undecided
    bare = asked(database, live, wanted, moved=moved)
    assert {"called", "code"} <= {one.doubt.subject.part for one in bare.found}


def test_what_is_not_answered_in_time_is_not_taken_for_passed(database: Databases) -> None:
    live = "create table t (id int primary key, a int); insert into t select i, i from generate_series(1, 3000) as i"
    slow = "; create function slow(int) returns boolean language plpgsql immutable as 'begin perform pg_sleep(0.01); return true; end'"
    began = time.monotonic()
    answers = asked(
        database,
        live + slow,
        f"create table t (id int primary key, a int){slow}; alter table t add check (slow(a))",
        limit=1,
    )
    assert time.monotonic() - began < 25
    (undecided,) = answers.undecided
    assert (
        "not decided: constraint public.t.t_a_check" in undecided.sentence
        and "within 1 s" in undecided.sentence
    )
    assert answers.refused() == () and answers.told() == (undecided.sentence,)


def test_row_level_security_hides_no_row(database: Databases, role: str) -> None:
    """A forced policy would show the owner one of two rows: then nothing is decided, and it is said why."""
    login = "reconciler_test_asker"
    live = (
        f"drop role if exists {login}; create role {login} login password 'x';"
        f"create table t (id int primary key, a int); insert into t values (1, 1), (2, null); alter table t owner to {login};"
        "alter table t enable row level security; alter table t force row level security; create policy one on t using (id = 1)"
    )
    wanted = (
        "create table t (id int primary key, a int not null);"
        "alter table t enable row level security; alter table t force row level security; create policy one on t using (id = 1)"
    )
    hidden = asked(database, live, wanted, url=lambda url: url.with_options(user=login, password=Secret("x")))
    assert not hidden.found
    (undecided,) = hidden.undecided
    assert "row-level security hides rows of public.t from reconciler_test_asker" in undecided.sentence
    assert not asked(
        database, live.replace(login, "reconciler_test_owner").partition(";")[2].partition(";")[2], wanted
    ).undecided


def test_a_key_that_is_a_secret_is_not_shown(database: Databases) -> None:
    tables = "create table t (token text primary key, a int); insert into t values ('hunter2', null)"
    answers = asked(database, tables, "create table t (token text primary key, a int not null)")
    assert sentences(answers)[0].endswith("(token = ***)")


def test_a_table_that_the_migration_writes_to_itself_is_told_and_not_refused(database: Databases) -> None:
    by_hand = (Statement("update public.t set a = 0 where a is null", "by hand", "hand"),)
    wanted = f"{T}; alter table t alter column a set not null"
    assert asked(database, T + ROWS, wanted).refused()
    answers = asked(database, T + ROWS, wanted, statements=by_hand)
    assert answers.refused() == ()
    assert answers.told()[0].endswith("unless the migration puts that right itself")


def test_asking_changes_nothing(database: Databases) -> None:
    """A default with a side effect is not computed: the question is left open."""
    live = (
        "create table log (id int); create table t (id int primary key); insert into t values (1);"
        "create function noisy() returns int language plpgsql volatile as 'begin insert into log values (1); return 1; end'"
    )
    wanted = (
        live.replace("insert into t values (1);", "")
        + "; alter table t add column a int default noisy() check (a > 1)"
    )
    answers = asked(database, live, wanted)
    assert [one.why for one in answers.undecided] == ["an expression in it would write"]


def test_no_cast_of_somebody_elses_answers_or_runs(database: Databases) -> None:
    """What is asked, and the keys that are shown, is what the types print; whoever made a cast to text has no say."""
    types = (
        "create type mood as enum ({0}); create type other as enum ('a');"
        " create function said(mood) returns text language plpgsql immutable as 'begin raise exception ''somebody else''; end';"
        " create cast (mood as text) with function said(mood);"
    )
    table = "create table t (k mood primary key, ks mood[], o {0});"
    answers = asked(
        database,
        types.format("'a', 'b'")
        + table.format("mood")
        + "insert into t values ('a', '{}', 'b'), ('b', '{b}', 'a')",
        types.format("'a'") + table.format("other"),
    )
    assert sorted(sentences(answers)) == [
        "1 row of public.t holds a value in k that public.mood would lose: 'b' (k = b)",
        "1 row of public.t holds a value in ks that public.mood would lose: 'b' (k = b)",
        "1 row of public.t holds a value in o that public.mood would lose: 'b' (k = a)",
        "1 row of public.t holds a value in o that public.other does not have (k = a)",
    ]


def test_apply_refuses_with_the_place_and_changes_nothing(project: Make) -> None:
    live = "create table p (id int primary key); create table c (id int primary key, p int);"
    p = project(
        "create table p (id int primary key);\ncreate table c (\n  id int primary key,\n  p int references p (id)\n);",
        live=live + "insert into c values (1, 5), (2, 6)",
    )
    seen = propose(p.database)
    assert [one.count for one in seen.rows.found] == [2]
    with pytest.raises(
        Stalled, match=r"all.sql:2: 2 rows of public.c refer by \(p\) to no row of public.p.*\(id = 1, 2\)"
    ) as refused:
        apply(p.database)
    assert "delete these rows" in refused.value.hint
    assert p.migrations == []
    assert drift(p.database).changes
    p.sql("delete from c")
    apply(p.database)
    assert drift(p.database).changes == ()


def test_values_that_would_be_cut_need_consent_and_those_that_fail_another_value(project: Make) -> None:
    p = project(
        "create table t (id int primary key, s varchar(3));",
        live="create table t (id int primary key, s varchar(9))",
    )
    p.sql("insert into t values (1, 'abcdef')")
    notes: list[str] = []
    apply(p.database, allow={"LOSSY_CAST"}, on_note=notes.append)
    assert notes == ["1 row of public.t holds a value in s that character varying(3) would change (id = 1)"]
    assert p.sql("select s from t") == [("abc",)]
    p.declare("create table t (id int primary key, s integer);")
    with pytest.raises(Stalled, match="cannot become integer"):
        apply(p.database, allow={"all"})


def test_the_way_back_asks_too(project: Make) -> None:
    p = project(
        "create table t (id int primary key, a int);",
        live="create table t (id int primary key, a int unique)",
    )
    apply(p.database)
    p.sql("insert into t values (1, 1), (2, 1)")
    with pytest.raises(Stalled, match=r"2 rows of public.t share the key \(a\)"):
        rollback(p.database, allow={"all"})
    assert [type(one) for one in (*propose(p.database).rows.found,)] == []


def test_found_and_undecided_are_words(database: Databases) -> None:
    answers = asked(database, T + ROWS, f"{T}; alter table t add check (a < 2)")
    assert all(isinstance(one, Found | Undecided) for one in (*answers.found, *answers.undecided))


def test_a_constant_key_allows_one_row(database: Databases) -> None:
    live = "create table t (id int primary key, a int); insert into t values (1, 1), (2, 2)"
    found = asked(
        database,
        live,
        "create table t (id int primary key, a int); create unique index one_row on t ((true))",
    )
    assert [one.count for one in found.found] == [2] and not found.undecided


def test_an_expression_of_a_persons_own_is_not_second_guessed(database: Databases) -> None:
    live = "create table t (id int primary key, s text); insert into t values (1, '')"
    wanted = "create table t (id int primary key, s int)"
    own = Statement("alter table t alter column s type int using nullif(s, '')::int", "by hand", "hand")
    assert len(asked(database, live, wanted).refused()) == 1
    answers = asked(database, live, wanted, statements=(own,))
    assert answers.refused() == () and len(answers.found) == 1


def test_rows_that_come_back_from_the_quarantine_may_be_referred_to(database: Databases) -> None:
    """A table that is not there now, and that comes with rows: nobody knows yet what refers to nothing."""
    live = "create table c (id int primary key, p int); insert into c values (7, 1)"
    wanted = "create table p (id int primary key); create table c (id int primary key, p int references p)"
    assert len(asked(database, live, wanted).refused()) == 1
    back = Statement(
        "select reconciler_quarantine.bring_back('public', 'p', 'tag')",
        "",
        "catalog",
        subject=ObjectId("table", "public", "p"),
    )
    assert asked(database, live, wanted, statements=(back,)).found == ()


def test_a_view_that_is_filled_by_the_plan_is_not_decided(database: Databases) -> None:
    live = "create table t (id int primary key, a int); insert into t values (1, 1), (2, 1)"
    view = "; create materialized view m as select a from t; create unique index m_a on m (a)"
    table = "create table t (id int primary key, a int)"
    (undecided,) = asked(database, live, table + view).undecided
    assert (
        "index public.m_a" in undecided.sentence
        and "public.m is filled when the plan runs" in undecided.sentence
    )
    there = asked(database, live + view.partition("; create unique")[0], table + view)
    assert [one.count for one in there.found] == [2]
