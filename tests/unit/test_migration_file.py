"""Migration files: what is written is read back, and what people write is read as psql would run it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.errors import Stalled, Usage
from reconciler.migrate import parse, render, render_section
from reconciler.model import Hazard, HazardCode, Migration, ObjectId, Statement
from reconciler.run.steps import normalised

NAME = "20261123040000_add_total.sql"

NASTY = [
    "create table public.t (a int)",
    "select ';', '\\quit', '-- DOWN', $$; \\quit\n-- DOWN\n$$, $x$ $$ ; $x$",
    "-- DOWN\nselect 1",
    "-- UP\n--   by hand\n/* \\quit ; /* ; */ */ select 1",
    "select 1 -- ends; in a comment",
    "select 1 -- ends in a comment\n--   by catalog",
    "select 'it''s' as \"a;\"\"b\\\"",
    "select E'\\';\\quit'",
    "create function f() returns int language plpgsql as $f$\nbegin\n  commit;\n  return 1;\nend\n$f$",
    "create function g(a int) returns int begin atomic select case when a > 1 then 2 end; select 3; end",
    "create rule r as on insert to t do also (delete from u; delete from v)",
    "select 'cr\r\nlf', 'cr\ralone'\r\n  from t",
    "insert into t values ('\t', ' \u2028\x85\u00a0 ', '${SECRET}')",
    "do $$begin if true then execute 'drop table x'; end if; end$$",
    "select a[1:2], b::text, 5 % 2, $1$ text $1$",
    "comment on table t is '-- UP\n\\quit\n-- DOWN\n'",
    "alter table t add column b text default 'begin;'",
    "select 1 /* ends in a block comment */",
    "select U&'\\0061', B'1', x'ff', n'\u00fc'",
]
ALONE = [
    "create index concurrently if not exists i on t (a)",
    "alter type mood add value if not exists ';'",
    "vacuum t",
    "select 'must be committed before the next'",
]

line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
text = st.one_of(
    line,
    st.sampled_from(
        ["", " ", "UP", "DOWN", "DOWN none: x", "  by hand", "\\", "\\&", " \\n\n", "a: b", "\\quit"]
    ),
)
name = st.one_of(st.sampled_from(["t", "Weird \"name.with; \\ things'", "ü", " "]), line.filter(bool))
timeout = st.sampled_from(["", "0", "2s", "20min", "500ms", "1h"])
hazard = st.builds(Hazard, st.sampled_from(HazardCode), text)
subject = st.one_of(
    st.none(),
    st.builds(
        ObjectId, st.sampled_from(["table", "column", "routine"]), name, name, st.one_of(st.just(""), name)
    ),
    st.builds(ObjectId, st.just("role"), st.just(""), name, st.one_of(st.just(""), name)),
)


def statements(minimum: int) -> st.SearchStrategy[tuple[Statement, ...]]:
    parts = {
        "reason": text,
        "source": st.sampled_from(["migra", "catalog", "hand"]),
        "lock_timeout": timeout,
        "hazards": st.lists(hazard, max_size=3).map(tuple),
        "subject": subject,
        "statement_timeout": timeout,
    }
    joined = st.builds(Statement, sql=st.sampled_from(NASTY), transactional=st.just(True), **parts)
    apart = st.builds(
        Statement, sql=st.sampled_from(NASTY), transactional=st.just(True), apart=st.just(True), **parts
    )
    alone = st.builds(Statement, sql=st.sampled_from(NASTY + ALONE), transactional=st.just(False), **parts)
    return st.lists(st.one_of(joined, apart, alone), min_size=minimum, max_size=5).map(normalised)


header = st.lists(
    st.tuples(st.sampled_from(["migra", "hazards", "up 1", "lock_timeout x"]), text), max_size=4
).map(tuple)


@settings(max_examples=120, deadline=None)
@given(up=statements(1), down=statements(1), header=header, before=st.sampled_from(["", "ab12"]))
def test_what_is_written_is_read_back(
    up: tuple[Statement, ...],
    down: tuple[Statement, ...],
    header: tuple[tuple[str, str], ...],
    before: str,
) -> None:
    migration = Migration("20261123040000", "add_total", up, down, before, before, header)
    written = render(migration)
    assert parse(written, migration.filename) == migration
    assert parse(written.replace("\n", "\r\n"), NAME).version == migration.version


@settings(max_examples=150, deadline=None)
@given(sql=st.text(st.sampled_from(list("ab;'\"$\\-/*()\n \r.:1")), max_size=40))
@example(sql="a;")
@example(sql=" a")
@example(sql="-- only a comment")
@example(sql="a\n\\quit\n-- DOWN\nb")
@example(sql="--\ra")
def test_any_text_is_read_back_or_refused(sql: str) -> None:
    migration = Migration("20261123040000", "x", (Statement(sql, ""),), (Statement("select 1", ""),))
    try:
        written = render(migration)
    except Stalled:
        return
    assert parse(written, migration.filename) == migration


def test_a_transaction_behind_another_is_a_step_of_its_own() -> None:
    up = (Statement("select 1", "one"), Statement("select 2", "two", apart=True), Statement("select 3", ""))
    migration = Migration("20261123040000", "x", up, up)
    written = render(migration)
    body = written.split("-- UP\n")[1].split("\\quit")[0]
    assert [line for line in body.splitlines() if line.startswith(("begin", "commit", "select"))] == [
        "begin;", "select 1;", "commit;", "begin;", "select 2;", "select 3;", "commit;",
    ]  # fmt: skip
    assert parse(written, migration.filename) == migration
    assert (
        migration.checksum
        != Migration("20261123040000", "x", tuple(replace(s, apart=False) for s in up), up).checksum
    )


def test_the_shape_of_a_file() -> None:
    up = (
        Statement("create table if not exists public.t (a int)", "Creates t, which is declared.", "migra"),
        Statement(
            "create index concurrently if not exists t_a on public.t (a)",
            "Creates t_a without blocking writes.",
            transactional=False,
            hazards=(Hazard(HazardCode.NOT_TRANSACTIONAL, "an interrupted build is repeated"),),
            subject=ObjectId("index", "public", "t_a"),
        ),
    )
    down = (Statement("drop table if exists public.t", "Drops t.", lock_timeout="5s"),)
    migration = Migration("20261123040000", "add_t", up, down, "b1", "a1", (("migra", "3.0"),))
    assert (
        render(migration)
        == f"""-- reconciler migration 20261123040000 add_t
-- checksum: {migration.checksum}
-- before: b1
-- after: a1
-- migra: 3.0

\\set ON_ERROR_STOP on
set client_encoding = 'UTF8';

-- UP

begin;
set local lock_timeout = '2s';
set local statement_timeout = '20min';

-- Creates t, which is declared.
--   by migra
create table if not exists public.t (a int);

commit;

set lock_timeout = '0';
set statement_timeout = '20min';
-- Creates t_a without blocking writes.
--   hazard NOT_TRANSACTIONAL: an interrupted build is repeated
--   by catalog, for index public.t_a
create index concurrently if not exists t_a on public.t (a);
reset lock_timeout;
reset statement_timeout;

\\quit

-- DOWN

begin;
set local lock_timeout = '2s';
set local statement_timeout = '20min';

set local lock_timeout = '5s';
set local statement_timeout = '20min';
-- Drops t.
--   lock_timeout 5s
--   by catalog
drop table if exists public.t;
set local lock_timeout = '2s';
set local statement_timeout = '20min';

commit;
"""
    )


HAND = """-- Written by Ada.
-- UP
-- Orders get a total,
-- because sums were slow.
begin;
set local lock_timeout = '7s';
alter table public.orders add column if not exists total numeric; -- behind
-- filled right away
update public.orders set total = 0;
commit;
create index concurrently if not exists o on public.orders (total);
\\q
-- DOWN
drop index if exists public.o;
alter table public.orders drop column if exists total
"""


def test_a_hand_written_file_is_read() -> None:
    found = parse(HAND, f"schema/migrations/{NAME}")
    assert (found.version, found.slug, found.header) == ("20261123040000", "add_total", ())
    assert [(s.sql.split()[0], s.transactional, s.lock_timeout, s.source) for s in found.up] == [
        ("alter", True, "7s", "hand"),
        ("update", True, "7s", "hand"),
        ("create", False, "", "hand"),
    ]
    assert found.up[1].reason == "filled right away"
    assert [(s.sql, s.transactional) for s in found.down] == [
        ("drop index if exists public.o", True),
        ("alter table public.orders drop column if exists total", True),
    ]
    assert parse(render(found), NAME) == found


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    assert parse("\ufeff" + HAND.replace("\n", "\r\n"), NAME) == parse(HAND, NAME)


def one(sql: str = "select 1", lock_timeout: str = "") -> Migration:
    up = Statement(sql, "", lock_timeout=lock_timeout)
    return Migration("20261123040000", "x", (up,), (Statement("select 2", ""),))


def test_an_edit_by_hand_is_noticed_and_kept() -> None:
    written = render(one("alter table t add column a int"))
    edited = parse(written.replace("column a int", "column a bigint"), NAME)
    assert edited.up[0].sql == "alter table t add column a bigint"
    assert "by hand" in dict(edited.header)["edited"]
    assert parse(render(edited), NAME) == edited


def test_an_edited_timeout_counts() -> None:
    written = render(one("drop table t"))
    up, rest = written.split("\\quit")
    edited = parse(up.replace("'2s'", "'10s'").replace("'20min'", "'3h'") + "\\quit" + rest, NAME)
    assert (edited.up[0].lock_timeout, edited.up[0].statement_timeout) == ("10s", "3h")
    assert edited.down[0].lock_timeout == ""


def test_without_a_down_there_must_be_a_reason() -> None:
    found = parse("-- UP\ndrop table a;\ndrop table b;\n-- DOWN none: the rows are archived\n", NAME)
    assert found.down == ()
    assert found.up[1].hazards == (Hazard(HazardCode.IRREVERSIBLE, "the rows are archived"),)
    assert parse(render(found), found.filename) == found


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("select 1;\n-- UP\nselect 1;\n\\quit\n-- DOWN\nselect 1;", 1, "above the line"),
        ("select 1;\n", 2, "no line “-- UP”"),
        ("-- UP\nselect 1;\n", 3, "there is no DOWN"),
        ("-- UP\nselect 1;\n\\quit\n-- DOWN\n", 5, "there is no DOWN"),
        ("-- UP\nselect 1;\n\\quit\n-- DOWN none:\n", 5, "there is no DOWN"),
        ("-- UP\n\\quit\n-- DOWN\nselect 1;\n", 1, "no statement under"),
        ("-- UP\nselect 1;\n-- DOWN\nselect 1;\n", 3, "\\quit is missing"),
        ("-- UP\nselect 1;\n\\quit\nselect 2;\n-- DOWN\nselect 1;\n", 4, "never runs"),
        ("-- UP\nselect 1;\n-- UP\nselect 1;\n", 3, "twice"),
        ("-- UP\nselect 1;\n\\quit\n-- DOWN none: x\nselect 1;\n", 5, "under “-- DOWN none”"),
        ("-- UP\nselect 1\n\\quit\n-- DOWN\nselect 1;\n", 3, "no semicolon"),
        ("-- UP\n\\i other.sql\nselect 1;\n\\quit\n-- DOWN\nselect 1;\n", 2, "\\i is a command"),
        ("-- UP\n\\set ON_ERROR_STOP off\nselect 1;\n\\quit\n-- DOWN\nselect 1;\n", 2, "\\set is a command"),
        ("-- UP\nbegin;\nselect 1;\n\\quit\n-- DOWN\nselect 1;\n", 2, "no commit"),
        ("-- UP\nbegin;\nbegin;\n", 3, "begin inside"),
        ("-- UP\ncommit;\n", 2, "commit without begin"),
        ("-- UP\nbegin;\nselect 1;\nrollback;\n", 4, "without any additions"),
        ("-- UP\nbegin isolation level serializable;\n", 2, "without any additions"),
        ("-- UP\nbegin;\nvacuum;\ncommit;\n", 3, "refuses this statement"),
        ("-- UP\nselect 'open;\n", 2, "never closed"),
        ("-- UP\nselect 1 -- a\rdrop table t\n;", 2, "carriage return"),
        ("-- UP\ncopy t from stdin;\n1\n\\.\n", 2, "rows inside"),
        ("-- UP\n--   hazard NONSENSE: x\n--   by hand\nselect 1;\n\\q\n-- DOWN\nselect 1;", 4, "no hazard"),
    ],
)
def test_what_psql_and_we_would_read_differently_is_refused_with_its_line(
    text: str, line: int, says: str
) -> None:
    if "-- DOWN" not in text and says not in ("no line “-- UP”", "there is no DOWN"):
        text += "\n\\quit\n-- DOWN\nselect 1;\n"
    with pytest.raises(Usage) as caught:
        parse(text, NAME)
    assert says in str(caught.value)
    assert caught.value.sources[0].line == line


@pytest.mark.parametrize(
    "filename", ["x.sql", "20261399000000_x.sql", "20261123040000_X.sql", "20261123040000.sql"]
)
def test_another_file_name_is_refused(filename: str) -> None:
    with pytest.raises(Usage, match="not the name of a migration file"):
        parse(HAND, filename)


def test_restrict_lines_of_pg_dump_are_passed_over() -> None:
    assert parse(HAND.replace("-- UP\n", "\\restrict abc\n-- UP\n"), NAME) == parse(HAND, NAME)


def test_what_cannot_be_undone_must_say_so_to_be_written() -> None:
    with pytest.raises(Stalled, match="no DOWN"):
        render(Migration("20261123040000", "x", (Statement("drop table t", ""),), ()))


def test_a_timeout_cannot_carry_sql() -> None:
    with pytest.raises(Stalled, match="duration"):
        render(one(lock_timeout="1s'; drop table t; --"))


def test_a_section_is_a_script_of_its_own() -> None:
    section = render_section(one(), "down")
    assert section.startswith("-- DOWN of migration 20261123040000 x\n\\set ON_ERROR_STOP on\n")
    assert "select 2;" in section
    assert "select 1;" not in section
