"""The same once more: a client that never heard whether its transaction was committed runs it again; a row that is gone before the end.

What is written for the record only (a table that is appended to and never read) may grow; everything else must stay as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from reconciler.lab.alike import Canon
from reconciler.lab.reach import appended
from reconciler.lab.saved import columns, references, rows
from reconciler.lab.trials.bench import Bench, Firing, Tried, Verdict
from reconciler.model import ObjectId

_EARLIER = timedelta(minutes=10)
"""The transaction began some time ago, and its clock with it."""


def retried(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """Updates, and inserts of a natural key: the second run fails or changes nothing outside its own row."""
    relation = bench.material.catalogue.relations[firing.trigger.relation]
    if firing.event == "insert" and not bench.material.natural(relation):
        return
    if firing.event == "delete":
        return
    tables = _kept(bench, firing)
    if not tables:
        return
    with bench.undone(firing.given):
        first = bench.run(firing.identity, firing.sql, firing.trigger)
        one = _state(bench, tables)
        second = bench.run(firing.identity, firing.sql, firing.trigger)
        two = _state(bench, tables)
    name = f"{firing.event}: retried"
    if first.failed or (firing.event == "insert" and second.rows):
        return  # a row that goes in twice has another key each time: a trigger made it
    if one != two:
        # An update that changes nothing may well be counted; a row that is there only once may not be counted twice.
        grave: Verdict = "failed" if firing.event == "insert" else "warning"
        yield Tried(firing.trigger, name, grave, _apart(one, two), (firing.sql, firing.sql), "not idempotent")
    else:
        says = (
            f"the second run fails: {second.message}" if second.failed else "the second run changes nothing"
        )
        yield Tried(firing.trigger, name, "passed", says, (firing.sql,))


def on_conflict(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """ON CONFLICT DO NOTHING runs BEFORE triggers for a row that is then not stored: what they wrote elsewhere stays."""
    relation = bench.material.catalogue.relations[firing.trigger.relation]
    before = any(one.timing == "before" for one in bench.beside(firing))
    if firing.event != "insert" or not before or not bench.material.natural(relation):
        return
    sql = f"{firing.sql} on conflict do nothing"
    with bench.undone(firing.given):
        first = bench.run(firing.identity, sql, firing.trigger)
        tables = [table for table in first.written if table != firing.trigger.table]
        one = _state(bench, tables)
        second = bench.run(firing.identity, sql, firing.trigger)
        two = _state(bench, tables)
    if first.failed or second.rows:
        return
    name = "insert: on conflict do nothing"
    if one != two:
        says = f"the row is not stored a second time, but {_apart(one, two)}: a BEFORE trigger should write to no other table"
        yield Tried(firing.trigger, name, "failed", says, (sql, sql), "wrong timing")
    else:
        yield Tried(firing.trigger, name, "passed", "the second run changes nothing", (sql,))


def gone_meanwhile(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """What is deferred runs at the end of the transaction, when the row may be gone."""
    if firing.event == "delete" or not any(one.deferrable for one in bench.beside(firing)):
        return
    relation = bench.material.catalogue.relations[firing.trigger.relation]
    row = bench.material.rows(relation)[-1]
    gone = f"delete from {relation.sql} as x where {bench.material.found(relation, row, firing.event)}"
    given = (*firing.given, *bench.material.away(relation, row, itself=False))
    tables = list(firing.others)
    with bench.undone(given):
        before = _state(bench, tables)
        bench.connection.execute("set constraints all deferred")
        came = bench.run(firing.identity, f"{firing.sql}; {gone}", firing.trigger)
        after = _state(bench, tables)
    name = f"{firing.event}: its row is deleted before the transaction ends"
    if came.failed:
        yield Tried(
            firing.trigger,
            name,
            "failed",
            f"it fails: {came.message} [{came.sqlstate}]",
            (firing.sql, gone),
            "row gone",
        )
    elif before != after:
        yield Tried(firing.trigger, name, "failed", _apart(before, after), (firing.sql, gone), "row gone")
    else:
        yield Tried(firing.trigger, name, "passed", "nothing is left of it", (firing.sql, gone))


def _kept(bench: Bench, firing: Firing) -> list[ObjectId]:
    """The tables it writes beside its own that are not merely appended to."""
    return [table for table in firing.others if not appended(bench.connection, firing.came.touched[table])]


def _state(bench: Bench, tables: Sequence[ObjectId]) -> dict[ObjectId, tuple[str, ...]]:
    """The rows of each table up to keys that are made, and the clock."""
    known = {table: columns(bench.connection, table) for table in tables}
    found = {table: rows(bench.connection, table, known[table]) for table in tables}
    canon = Canon(known, references(bench.connection), {}, datetime.now(UTC) - _EARLIER)
    return {table: tuple(sorted(canon.outcome({table: found[table]}, ()).splitlines())) for table in tables}


def _apart(one: dict[ObjectId, tuple[str, ...]], two: dict[ObjectId, tuple[str, ...]]) -> str:
    for table in one:
        if one[table] != two[table]:
            more = len(two[table]) - len(one[table])
            return f"{table} {f'has {more} rows more' if more > 0 else 'is changed'} by the second run"
    return ""
