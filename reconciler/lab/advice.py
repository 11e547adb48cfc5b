"""What mends a race: the fix that fits what was seen, in a sentence, and where that is mechanical a change whose rerun shows the race gone.

Promises nothing of a change that was not rerun. The sentence is read from the difference to the nearest serial order: a row too many was
made twice, another value was lost, a transaction that should have failed was let through.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg

from reconciler.errors import ReconcilerError
from reconciler.lab.explore import Limits
from reconciler.lab.material import prepared
from reconciler.lab.race import Judged, explored
from reconciler.lab.remedies import called, remedies
from reconciler.lab.report import Advice
from reconciler.lab.values import Race
from reconciler.pg import Url, connect

Fresh = Callable[[], AbstractContextManager[Url]]
"""A new copy of the database in which the race was played."""
_MOST = 6
"""How many changes are tried."""


def advised(fresh: Fresh, race: Race, judged: Judged, limits: Limits) -> Advice:
    """The fix, with the first change that ends the race at its level."""
    fix, says = fitting(judged)
    with fresh() as database, connect(database, application_name="reconciler lab") as connection:
        with connection.transaction():
            prepared(connection, race.given)
        functions = called(database, race)
        found = list(remedies(connection, functions, deadlock=judged.kind == "deadlock"))[:_MOST]
    for remedy in found:
        try:
            with fresh() as database:
                with connect(database, application_name="reconciler lab") as connection:
                    connection.execute(remedy.script.encode())
                again = explored(
                    database, race, limits=limits, enough=lambda one: one.kind not in ("serial", "retry")
                )
        except (ReconcilerError, psycopg.Error):
            continue  # a change that PostgreSQL refuses, or that keeps the transactions from running, is none
        if again.worst.kind in ("serial", "retry"):
            number = len(again.judged)
            whole = "all there are" if again.left == 0 else "not all there are"
            shown = f"{number} schedules ({whole}) with this change at {race.isolation}: as one after another"
            return Advice(fix, f"{says} Tried here: {remedy.says}.", remedy.script, shown)
    return Advice(fix, says)


def fitting(judged: Judged) -> tuple[str, str]:
    """The name of a fix and a sentence."""
    if judged.kind == "deadlock":
        return (
            "ordered locking",
            "Take the locks in the same order everywhere: lock all rows first, ordered by their key (SELECT … ORDER BY key FOR UPDATE), then change them.",
        )
    if judged.kind == "failure":
        if "[23505]" in judged.says:
            return (
                "unique + on conflict",
                "The row was looked for and then inserted. Insert it with ON CONFLICT DO NOTHING (or DO UPDATE) on the unique key, and read it afterwards.",
            )
        if "[23503]" in judged.says:
            return (
                "select for key share",
                "What is pointed to was found and then removed by another transaction. Read it with SELECT … FOR KEY SHARE, so that it stays until the end.",
            )
        return (
            "select for update",
            "It is decided by rows that another transaction changes meanwhile. Read them with SELECT … FOR UPDATE.",
        )
    here, there = _counted(judged, "here"), _counted(judged, "serial")
    if any(key.startswith("failed") for key in there):
        return (
            "select for update",
            "Both transactions passed a check that only one may pass. Lock the rows it looks at (SELECT … FOR UPDATE); where the check is that there are none,"
            " a unique or exclusion constraint, or an advisory lock on the natural key.",
        )
    more = [table for table in judged.surplus if "." in table]
    if more:
        return (
            "unique + on conflict",
            f"{more[0]} gets a row that no serial order makes. Give it a unique constraint on its natural key and insert with ON CONFLICT; without"
            " a key, an advisory lock on what must be there once.",
        )
    changed = [table for table in here if "." in table]
    if changed:
        return (
            "atomic update",
            f"A change of {changed[0]} is lost: a value was read, and written back after another transaction had changed it. Let one UPDATE compute it from"
            " the row (set n = n + 1), or lock the row when it is read (SELECT … FOR UPDATE).",
        )
    return (
        "serializable",
        "The transactions see each other half done. Lock what they decide by (SELECT … FOR UPDATE), or run them at SERIALIZABLE and again on 40001.",
    )


def _counted(judged: Judged, side: str) -> dict[str, int]:
    """How many lines each table, answer or failure has on one side of the difference."""
    found: dict[str, int] = {}
    for line in judged.difference:
        where, _, rest = line.partition(": ")
        if where == side:
            key = rest.split("|", 1)[0]
            found[key] = found.get(key, 0) + 1
    return found
