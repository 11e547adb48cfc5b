"""Names of tables and columns that the statements which keep and give back use themselves: none of them means anything there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from judge import difference, dump
from test_kept_columns import APART, load, read, rows, run

from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.pg import Url, connect, ident
from reconciler.plan import quarantine
from reconciler.plan.complete import complete

NAMES = (
    "c", "content", "done", "excluded", "file", "g", "had_1", "held", "held row", "home", "k", "kept copy", "kept row", "late", "leaf",
    "loop_of_ours", "m", "missing", "n", "name", "new", "note", "number", "numbered", "old", "one", "peak", "place", "r", "row content",
    "row home", "row number", "row place", "row wanted", "s", "t", "total", "value afterwards", "was", "watch",
)  # fmt: skip
SHAPES = {
    # What is in the table, what is left of it, its rows, and what new rows get in what comes back.
    "a table": ('"{0}" (id int primary key, v text, "{0}" text)', '"{0}" (id int primary key, "{0}" text)', "1, 'v', 'x'", "'d' || \"{0}\""),
    "a table's identity": ('"{0}" (code text primary key, v int generated always as identity)', '"{0}" (code text primary key)', "'x'", ""),
    "a key": ('key_{1} ("{0}" text primary key, v text not null)', 'key_{1} ("{0}" text primary key)', "'x', 'v'", "\"{0}\" || 'd'"),
    "what goes": ('gone_{1} (code int primary key, "{0}" text not null)', "gone_{1} (code int primary key)", "1, 'x'", "'d' || code"),
    "what goes without a key": ('bag_{1} (what json, "{0}" text)', "bag_{1} (what json)", "'1', 'x'", ""),
    "what stays without a key": ('stay_{1} ("{0}" text, v text not null)', 'stay_{1} ("{0}" text)', "'x', 'v'", "\"{0}\" || 'd'"),
    "what is cut": ('cut_{1} (code int primary key, "{0}" numeric(9,4))', 'cut_{1} (code int primary key, "{0}" numeric(9,2))', "1, 0.125", ""),
    "a key of what is cut": ('cutk_{1} ("{0}" int primary key, v varchar(9))', 'cutk_{1} ("{0}" int primary key, v varchar(2))', "1, 'abc'", ""),
}  # fmt: skip


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_name_is_taken_for_one_of_ours(
    server: Server, database: Callable[..., Url], shape: str, size: str
) -> None:
    """Every name at once; all of it comes back, and rows that came meanwhile get what is declared."""
    was, then, given, declared = SHAPES[shape]
    old, new = database(), database()

    def each(text: str) -> str:
        return ";".join(text.format(name, number) for number, name in enumerate(NAMES))

    load(old, each("create table " + was))
    load(new, each("create table " + then))
    before, after = read(old), read(new)
    load(old, each(f"insert into {was.partition(' (')[0]} values ({given})"))
    downs = {}
    if declared:
        for number, name in enumerate(NAMES):
            (column,) = (
                fact.id for fact in before.by_kind["column"]
                if fact.id not in after.facts and fact.id.name == was.partition(" (")[0].format(name, number).strip('"')
            )  # fmt: skip
            downs[column] = declared.format(name, number)
    large = [id for id in before.facts if id.kind == "table"] if size == "large" else []
    up, down = (
        complete(Context(before, after, "postgres")),
        complete(Context(after, before, "postgres", downs)),
    )
    up, down = quarantine.kept(up, down, before, after, applier="postgres", large=large, downs=downs)
    dumps = {"up": dump(new, APART), "down": dump(old, APART)}
    first = rows(old, before)
    for way, statements, goal in (("up", up, after), ("down", down, before), ("up", up, after)):
        run(old, statements)
        assert residue(read(old), goal) == (), way
        assert difference(dump(old, APART), dumps[way]) == "", way
        assert way == "up" or rows(old, before) == first
    if not declared:
        return
    fresh = given.partition(",")[0].replace("'x'", "'y'").replace("1", "2")
    load(old, each(f"insert into {then.partition(' (')[0]} values ({fresh})"))
    run(old, down)
    with connect(old) as session:
        for column in downs:
            found = session.execute(
                f"select count(*), count({ident(column.part)}), count(distinct {ident(column.part)}) from"
                f" {ident(column.schema, column.name)}".encode()
            ).fetchone()
            assert found == (2, 2, 2) or (found == (2, 1, 1) and shape == "a table"), column
