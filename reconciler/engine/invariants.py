"""Declared invariants, asked of the live database: how many rows break each.

Promises to change nothing and to be brief: one read-only transaction, a few seconds for each query and for all of them, nothing but a
SELECT (a query stands in brackets, as the only statement of its message). Where row-level security would hide rows from the role that asks,
that is said instead of a 0. Rows themselves are never told, only counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import psycopg
from psycopg.rows import TupleRow

from reconciler import declare
from reconciler.declare import Declarations
from reconciler.model import Condition, Json
from reconciler.pg import connect
from reconciler.settings import Database

MOST = 1_000
"""Rows that are counted at most."""
_EACH, _ALL, _LOCK = 5.0, 20.0, 1.0
"""Seconds that one query may take, that all of them may take together, and that one may wait for a lock."""
CONDITION = "InvariantBroken"


def queries(declared: Declarations) -> dict[str, tuple[str, ...]]:
    """By name; several triggers may call theirs the same."""
    found: dict[str, dict[str, None]] = {}
    for design in declared.designs:
        for one in design.invariants:
            found.setdefault(one.name, {})[one.query] = None
    return {name: tuple(same) for name, same in sorted(found.items())}


def asked(database: Database) -> dict[str, Json]:
    """For each name how many rows break it (`MOST` stands for that and more), and why some could not be asked. Empty where
    none is declared. Raises Waiting when the database cannot be reached, Usage for declarations that cannot be read."""
    wanted = queries(declare.read(database.schema_dir, exclude=database.migrations))
    if not wanted:
        return {}
    began = time.monotonic()
    rows: dict[str, int] = {}
    unknown: dict[str, str] = {}
    with connect(database.target(), application_name="reconciler invariants") as live:
        live.read_only = True
        for name, several in wanted.items():
            if time.monotonic() - began > _ALL:
                unknown[name] = f"there was no time: all of them may take {_ALL:g} s"
                continue
            try:
                rows[name] = min(MOST, sum(_count(live, query) for query in several))
            except psycopg.Error as error:
                unknown[name] = (error.diag.message_primary or str(error)).strip()
    return {"rows": rows, "unknown": unknown, "seconds": round(time.monotonic() - began, 3)}


def condition(found: Mapping[str, Json], at: str) -> Condition | None:
    """What there is to be said of them; None where none is declared."""
    if not found:
        return None
    broken = {name: number for name, number in found["rows"].items() if number}
    if broken:
        named = ", ".join(f"“{name}” ({_rows(number)})" for name, number in list(broken.items())[:3])
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        return Condition(CONDITION, "True", "RowsBreakIt", f"invariants that do not hold: {named}{more}", at)
    if found["unknown"]:
        name, why = next(iter(found["unknown"].items()))
        return Condition(
            CONDITION, "Unknown", "NotAsked", f"the invariant “{name}” cannot be asked: {why}", at
        )
    return Condition(CONDITION, "False", "AllHold", f"{len(found['rows'])} invariants hold", at)


def _rows(number: int) -> str:
    return f"{number} or more rows" if number == MOST else "1 row" if number == 1 else f"{number} rows"


def _count(live: psycopg.Connection[TupleRow], query: str) -> int:
    with live.transaction(force_rollback=True):
        live.execute(f"set local statement_timeout to '{_EACH:g}s'".encode())
        live.execute(f"set local lock_timeout to '{_LOCK:g}s'".encode())
        live.execute("set local row_security to off")  # an error instead of fewer rows (manual: row_security)
        sql = f"select count(*) from (select from (\n{query}\n) as x limit {MOST}) as y"
        # prepared: the extended protocol takes one statement only
        row = live.execute(sql.encode(), prepare=True).fetchone()
    return int(row[0]) if row else 0
