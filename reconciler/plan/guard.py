"""What a plan on a guarded table still lacks: a table so large that nobody should find out at noon.

Such a plan says how long each statement of UP and DOWN takes there, uses CONCURRENTLY where PostgreSQL has it, waits for no lock without
a limit, and has a way back. Pure: what was measured is looked at, nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from reconciler.catalog.kinds.partition import tree
from reconciler.model import Measured, ObjectId, Rehearsal, Size, Snapshot, Statement
from reconciler.run.nature import head
from reconciler.shadow.filled import touched_tables

_BETTER = (
    (re.compile(r"create\s+(unique\s+)?index\s+(?!concurrently\b)", re.IGNORECASE), "CREATE INDEX CONCURRENTLY"),
    (re.compile(r"drop\s+index\s+(?!concurrently\b)", re.IGNORECASE), "DROP INDEX CONCURRENTLY"),
    (
        re.compile(r"reindex\s+(\([^)]*\)\s*)?(index|table)\s+(?!concurrently\b)", re.IGNORECASE),
        "REINDEX CONCURRENTLY",
    ),
)  # fmt: skip
"""Statements that have a form which keeps nobody waiting, and its name (manual: CREATE INDEX, DROP INDEX, REINDEX). DETACH PARTITION is
not among them: without CONCURRENTLY it is as brief, and with it, it cannot run twice."""

_ONLY = re.compile(r"create\s+(unique\s+)?index\s.*\bon\s+only\s", re.IGNORECASE | re.DOTALL)
_NEVER = re.compile(r"0\s*(us|ms|s|min|h|d)?\Z")


def guarded(
    rehearsal: Rehearsal, before: Snapshot, sizes: Mapping[ObjectId, Size], limit: int
) -> tuple[ObjectId, ...]:
    """The tables that the plan locks, rewrites or reads and that have at least `limit` rows, or are partitions of one that has."""
    touched = touched_tables(before, (*rehearsal.measured_up, *rehearsal.measured_down))
    families = [tree(before, id) for id in touched]
    large = [one for one in families if sum(sizes[id].rows for id in one if id in sizes) >= limit]
    return tuple(sorted(touched & {id for one in large for id in one}))


def lacking(
    up: Sequence[Statement],
    down: Sequence[Statement],
    rehearsal: Rehearsal,
    before: Snapshot,
    sizes: Mapping[ObjectId, Size],
    limit: int,
) -> tuple[str, ...]:
    """In sentences; empty when nothing is missing, or when no table is that large."""
    tables = guarded(rehearsal, before, sizes, limit)
    if not tables:
        return ()
    names = {f"{id.schema}.{id.name}" for id in tables}
    of_trees = {fact.id for fact in before.by_kind.get("index", ()) if " ON ONLY " in fact["definition"]}
    of_trees |= {s.subject for s in (*up, *down) if s.subject is not None and _ONLY.match(head(s.sql))}
    found = [] if down else ["there is no DOWN"]
    for direction, statements, measured in (
        ("UP", up, rehearsal.measured_up),
        ("DOWN", down, rehearsal.measured_down),
    ):
        if len(measured) < len(statements) or any(one.on_live is None for one in measured):
            found.append(f"{direction}: {'; '.join(rehearsal.unweighed) or 'it was not timed'}")
        for number, (statement, one) in enumerate(zip(statements, measured, strict=False), start=1):
            if statement.subject in of_trees:  # CONCURRENTLY is not for the index of a partitioned table
                continue
            found += (f"{direction}, statement {number}: {what}" for what in _of_one(statement, one, names))
    return tuple(found)


def _of_one(statement: Statement, measured: Measured, names: set[str]) -> Iterator[str]:
    # a lock that an earlier statement of the transaction took is not taken again: then the scan tells
    held = [one.relation for one in measured.locks if one.relation in names and one.blocks]
    touched = [*held, *(name for name in measured.scans if name in names)]
    better = next((form for shape, form in _BETTER if shape.match(head(statement.sql))), "")
    if better and touched:
        yield f"{better} would keep nobody on {touched[0]} waiting"
    if held and statement.transactional:
        for name, value in (
            ("lock_timeout", statement.lock_timeout),
            ("statement_timeout", statement.statement_timeout),
        ):
            if _NEVER.match(value):
                yield f"its {name} is switched off"
