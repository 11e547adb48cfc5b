"""Stops between two reads of one function that have no write between them: there no gate of a table can part them.

The functions on the scratch copy get a call of ours before the second read, and nothing else; whatever is found that way says that it was
found with changed bodies. Knows plpgsql whose text is understood; a read in the condition of ELSIF, or of a loop's second round, is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.gates import SCHEMA
from reconciler.lab.remedies import Called
from reconciler.shadow.bodies.body import body
from reconciler.shadow.bodies.steps import Step
from reconciler.shadow.bodies.touched import touched

Connection = psycopg.Connection[TupleRow]
_WRITES = frozenset(("insert", "update", "delete", "merge", "truncate"))
_READING = frozenset(
    ("select", "perform", "assign", "return", "raise", "if", "case", "for", "foreach", "while")
)
"""Kinds of statements that may read and do not write: their snapshot is taken where a stop can still be."""


def places(function: Called) -> tuple[tuple[int, str], ...]:
    """Where in the text a stop belongs, and the table that is read there."""
    found: list[tuple[int, str]] = []
    read = ""
    for step in body("plpgsql", function.source).steps:
        verbs = {touch.verb for touch in touched(step.tokens)}
        tables = [touch.table.name for touch in touched(step.tokens) if touch.verb == "select"]
        if tables and read and _can_stop(step):
            found.append((step.start, tables[0]))
        if verbs & _WRITES:
            read = ""
        elif tables:
            read = tables[0]
    return tuple(found)


def install(connection: Connection, functions: Sequence[Called], first: int) -> dict[int, str]:
    """Replaces the functions that need it; returns what each number means."""
    found: dict[int, str] = {}
    for function in functions:
        wanted = places(function)
        if not wanted:
            continue
        text = function.source
        made: dict[int, str] = {}
        for place, table in sorted(wanted, reverse=True):
            number = first + len(found) + len(made)
            made[number] = f"read of {table} in {function.name}"
            text = f"{text[:place]}perform {SCHEMA}.stop({number});\n  {text[place:]}"
        connection.execute(function.with_text(text).encode())
        found |= made
    return found


def _can_stop(step: Step) -> bool:
    return step.kind in _READING and step.start >= 0
