"""Changes of function bodies that may end a race: rows locked when they are read, all rows locked in one order, one caller at a time.

Knows the functions that a race calls. Promises text changes only where the text is understood, each a whole CREATE OR REPLACE; whether
one helps is for a rerun to show, on a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.saved import primary
from reconciler.lab.values import Race
from reconciler.model import ObjectId
from reconciler.pg import Url, connect, ident, literal
from reconciler.shadow.bodies.body import body
from reconciler.shadow.bodies.steps import Step
from reconciler.shadow.bodies.touched import touched

Connection = psycopg.Connection[TupleRow]
Fix = Literal["select for update", "ordered locking", "advisory lock"]
_CALLED = """
select p.oid::bigint, n.nspname::text, p.proname::text, p.prosrc, pg_catalog.pg_get_functiondef(p.oid)
  from pg_catalog.pg_stat_xact_user_functions as f join pg_catalog.pg_proc as p on p.oid = f.funcid
  join pg_catalog.pg_namespace as n on n.oid = p.pronamespace join pg_catalog.pg_language as l on l.oid = p.prolang
 where l.lanname = 'plpgsql' and p.prokind in ('f', 'p') and n.nspname <> 'reconciler_lab' order by 2, 3, 1
"""
# Rows that were put together from several cannot be locked (manual: The Locking Clause).
_TOGETHER = frozenset(
    ("group", "distinct", "union", "intersect", "except", "having", "window", "count", "sum", "min", "max", "avg", "exists", "for", "join")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Called:
    """A plpgsql function that took part: its text, and the statement that makes it."""

    name: str
    source: str
    definition: str

    def with_text(self, source: str) -> str:
        return f"{self.definition.replace(self.source, source, 1).rstrip()};\n"


@dataclass(frozen=True, slots=True)
class Remedy:
    """`script` makes the change, `says` what it is."""

    fix: Fix
    says: str
    script: str


def called(database: Url, race: Race) -> tuple[Called, ...]:
    """The functions that the transactions call, one after another; everything is rolled back."""
    found: dict[int, Called] = {}
    with connect(database, application_name="reconciler lab") as session:
        session.execute("set track_functions to 'all'")
        for order in permutations(race.actors):
            session.execute("begin")
            for actor in order:
                session.execute("savepoint one")
                try:
                    for statement in (*actor.first, *actor.statements):
                        session.execute(statement.encode())
                    session.execute("set constraints all immediate")
                except psycopg.Error:
                    session.execute("rollback to one")
                session.execute("reset role")
            for oid, schema, name, source, definition in session.execute(_CALLED).fetchall():
                found[oid] = Called(ident(schema, name), source, definition)
            session.execute("rollback")
    return tuple(found.values())


def remedies(connection: Connection, functions: Sequence[Called], *, deadlock: bool) -> Iterator[Remedy]:
    """Those that could help, the narrowest first. Order of locks is looked at only for a deadlock."""
    if deadlock:
        for function in functions:
            yield from _ordered(connection, function)
    else:
        for function in functions:
            yield from _for_update(function)
    for function in functions:
        yield from _one_at_a_time(function)


def _for_update(function: Called) -> Iterator[Remedy]:
    """Every row that the function reads into a variable by one table, where it writes anything at all."""
    read = body("plpgsql", function.source)
    if not read.writes and not read.raised:
        return
    places = [_end(step) for step in read.steps if _lockable(step)]
    if places:
        text = function.source
        for place in sorted(places, reverse=True):
            text = f"{text[:place]} for update{text[place:]}"
        yield Remedy(
            "select for update",
            f"{function.name} locks the rows it decides by when it reads them (SELECT … FOR UPDATE)",
            function.with_text(text),
        )


def _lockable(step: Step) -> bool:
    if step.kind not in ("select", "perform") or "from" not in step.words:
        return False
    tables = [touch for touch in touched(step.tokens) if touch.verb == "select"]
    return len(tables) == 1 and not _TOGETHER & set(step.words) and step.words.count("select") <= 1


def _ordered(connection: Connection, function: Called) -> Iterator[Remedy]:
    """All rows of a table that several updates of the function change, locked first, by primary key."""
    read = body("plpgsql", function.source)
    updates: dict[tuple[str, str], list[Step]] = {}
    for use in read.uses:
        if use.touch.verb == "update" and "where" in use.step.words and not use.dynamic:
            updates.setdefault((use.touch.table.schema, use.touch.table.name), []).append(use.step)
    for (schema, name), steps in updates.items():
        aliases = {_alias(step) for step in steps}
        table = ident(schema, name)
        keys = primary(connection, ObjectId("table", schema or "public", name))
        if len(steps) < 2 or len(aliases) != 1 or not keys:
            continue
        alias = aliases.pop()
        conditions = " or ".join(f"({_condition(function.source, step)})" for step in steps)
        order = ", ".join(f"{ident(alias)}.{ident(key)}" if alias else ident(key) for key in keys)
        named = f"{table} as {ident(alias)}" if alias else table
        place = steps[0].start
        lock = f"perform from {named} where {conditions} order by {order} for update;\n  "
        text = f"{function.source[:place]}{lock}{function.source[place:]}"
        says = f"{function.name} locks the rows of {table} in one order, by {', '.join(keys)}, before it changes the first"
        yield Remedy("ordered locking", says, function.with_text(text))


def _one_at_a_time(function: Called) -> Iterator[Remedy]:
    """An advisory lock at the beginning of the body, held to the end of the transaction."""
    read = body("plpgsql", function.source)
    first = next((step for step in read.steps if step.kind != "declare"), None)
    if first is None or first.start < 0 or not (read.writes or read.raised or read.assigned):
        return
    place = first.start
    lock = (
        "perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended("
        f"{literal(function.name)}, 0));  -- narrow the key to what must not meet\n  "
    )
    says = f"{function.name} lets one transaction in at a time (advisory lock; put the natural key into it)"
    yield Remedy(
        "advisory lock", says, function.with_text(f"{function.source[:place]}{lock}{function.source[place:]}")
    )


def _end(step: Step) -> int:
    last = step.tokens[-1]
    return last.start + len(last.text)


def _alias(step: Step) -> str:
    """What the updated table is called; empty for its own name."""
    words = step.words
    before = words.index("set") if "set" in words else 0
    return step.tokens[before - 1].identifier if before >= 2 and words[before - 2] == "as" else ""


def _condition(source: str, step: Step) -> str:
    words = step.words
    start = step.tokens[words.index("where")]
    end = next((t.start for t in step.tokens if t.word == "returning"), _end(step))
    return source[start.start + len("where") : end].strip()
