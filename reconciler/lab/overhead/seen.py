"""What a trigger was seen to do while a statement ran: that it fired, the functions it called, the tables it read whole, the plans."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.overhead.measure import Bench
from reconciler.lab.overhead.statements import Statements
from reconciler.model import ObjectId
from reconciler.pg import ident
from reconciler.shadow import footprint

Connection = psycopg.Connection[TupleRow]
_FUNCTIONS = """
select pg_catalog.format('%I.%I', f.schemaname, f.funcname), f.calls, f.self_time
  from pg_catalog.pg_stat_xact_user_functions as f order by 1
"""
_WHOLE = 100
"""Rows of a table below which nobody minds that they are all read."""


def calls(bench: Bench, statements: Statements, rows: int) -> tuple[tuple[str, int, float], ...]:
    """Functions that the trigger calls for so many rows: name, calls, milliseconds of its own. Empty when it does not fire."""
    with_it, without = (_counted(bench, statements, rows, on=on) for on in (True, False))
    found = []
    for name, (count, spent) in with_it.items():
        before, spent_before = without.get(name, (0, 0.0))
        if count > before:
            found.append((name, count - before, max(spent - spent_before, 0.0)))
    return tuple(sorted(found, key=lambda one: -one[2]))


def _counted(bench: Bench, statements: Statements, rows: int, *, on: bool) -> dict[str, tuple[int, float]]:
    session = bench.session
    session.execute("begin")
    try:
        session.execute("set local track_functions to 'all'")
        session.execute(bench.switched(on))
        before = {name: (int(n), float(ms)) for name, n, ms in session.execute(_FUNCTIONS).fetchall()}
        session.execute(statements.bulk.encode(), (rows,))
        session.execute("set constraints all immediate")
        after = {name: (int(n), float(ms)) for name, n, ms in session.execute(_FUNCTIONS).fetchall()}
    finally:
        session.execute("rollback")
    return {
        name: (n - before.get(name, (0, 0.0))[0], ms - before.get(name, (0, 0.0))[1])
        for name, (n, ms) in after.items()
    }


def touched(bench: Bench, statements: Statements) -> tuple[footprint.Touched, ...]:
    """The tables that the trigger reads and writes for one row, beyond what the statement itself does."""
    watch = footprint.watch(bench.session)
    seen = []
    for on in (True, False):
        bench.session.execute("begin")
        try:
            bench.session.execute(bench.switched(on))
            with footprint.touching(bench.session, watch) as found:
                bench.session.execute(statements.bulk.encode(), (1,))
                bench.session.execute("set constraints all immediate")
            seen.append({one.oid: one for one in found})
        finally:
            bench.session.execute("rollback")
    with_it, without = seen
    return tuple(one for oid, one in with_it.items() if without.get(oid) != one)


def read_whole(bench: Bench, statements: Statements, tables: Sequence[footprint.Touched]) -> tuple[str, ...]:
    """Of the tables that the trigger touches, those of which it reads half of the rows or more for a single row."""
    found = []
    for one in tables:
        row = bench.session.execute(
            f"select count(*) from only {ident(one.relation.schema, one.relation.name)}"
        ).fetchone()
        rows = int(row[0]) if row else 0
        if rows >= _WHOLE and one.read >= rows / 2:
            found.append(str(one.relation))
    return tuple(sorted(found))


def plans(
    bench: Bench, statements: Statements, rows: int, views: Sequence[ObjectId]
) -> tuple[tuple[str, str], ...]:
    """EXPLAIN ANALYZE of the statement with the trigger, of the statements inside it where the server has auto_explain, and of the
    queries of materialized views over what is written."""
    session = bench.session
    found: list[tuple[str, str]] = []
    inner: list[str] = []

    def heard(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.message_primary and "plan:" in diagnostic.message_primary:
            inner.append(diagnostic.message_primary.partition("plan:")[2].strip())

    with suppress(psycopg.Error):
        session.execute("load 'auto_explain'")
    session.execute("begin")
    session.add_notice_handler(heard)
    try:
        session.execute(bench.switched(True))
        row = session.execute(
            "select pg_catalog.current_setting('auto_explain.log_min_duration', true)"
        ).fetchone()
        if row is not None and row[0] is not None:
            for name, value in (
                ("log_min_duration", "0"),
                ("log_analyze", "on"),
                ("log_nested_statements", "on"),
            ):
                session.execute(f"set local auto_explain.{name} to {value}")
            session.execute("set local client_min_messages to log")
            session.execute(statements.bulk.encode(), (1,))
            session.execute("set local auto_explain.log_min_duration to -1")
        found.append((f"{statements.event} of {rows:,} rows", _explained(session, statements.bulk, rows)))
        for view in views:
            text = session.execute(
                "select pg_catalog.pg_get_viewdef(%s::pg_catalog.regclass)", (ident(view.schema, view.name),)
            ).fetchone()
            if text is not None:
                found.append((f"refresh of {view}", _explained(session, str(text[0]).rstrip(";"))))
    finally:
        session.remove_notice_handler(heard)
        session.execute("rollback")
    nested = [text for text in inner if not text.startswith(f"Query Text: {statements.bulk.split('%s')[0]}")]
    found += [
        (f"inside the trigger, statement {number}", text) for number, text in enumerate(nested[:10], start=1)
    ]
    return tuple(found)


def _explained(session: Connection, sql: str, *values: int) -> str:
    lines = session.execute(f"explain (analyze, costs off) {sql}".encode(), values or None).fetchall()
    return "\n".join(str(line[0]) for line in lines)
