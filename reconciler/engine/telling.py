"""What is told of a database beside its conditions: its history, what is kept, both sides of each difference.

Reads what a role that may only look can read; leaves out what it may not. The keys are those of `reconciler.web.published`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import psycopg
from psycopg.rows import TupleRow

from reconciler import migrate
from reconciler.engine.consent import NEEDS_CONSENT, Given
from reconciler.engine.document import applied
from reconciler.engine.drift import Drift
from reconciler.engine.fetching import source_fact
from reconciler.engine.looking import kept_facts
from reconciler.errors import Stalled
from reconciler.model import Applied, Json, Migration, ObjectId, Snapshot
from reconciler.pg import connect
from reconciler.settings import Database

SHOWN = 200
"""How many differences, and how many runs of migrations, a page shows."""


def facts(database: Database, seen: Drift | None) -> dict[str, Json]:
    """Everything that can be read now. Raises Waiting when the database cannot be reached."""
    told: dict[str, Json] = {"mode": database.mode, "platform": database.platform}
    if database.source is not None:
        told["source"] = source_fact(database)
    with connect(database.target()) as live:
        rows: tuple[Applied, ...] = ()
        with suppress(Stalled):  # a role that may only look may lack the history
            rows = migrate.read(live)
        waiting = migrate.pending(rows, migrate.load_directory(database.migrations))
        given = Given(configured=frozenset(database.allow))
        with suppress(Stalled):
            given = replace(given, approvals=migrate.approvals(live))
        told |= {
            "major": live.info.server_version // 10000,
            "history": [applied(row) for row in rows[-SHOWN:]],
            "pending_migrations": [one.filename for one in waiting],
            "pending_statements": sum(len(one.up) for one in waiting),
            "hazards_awaiting_approval": sum(len(_unallowed(one, given)) for one in waiting),
            "deadlocks": _deadlocks(live),
        }
    if seen is not None:
        told["differences"] = differences(seen)
    return told | kept_facts(database)


def differences(seen: Drift) -> list[Json]:
    """Each difference with both its sides, as attributes."""
    return [
        {
            "verb": change.verb, "kind": change.id.kind, "id": str(change.id),
            "live": _attributes(seen.before, change.was or change.id), "declared": _attributes(seen.after, change.id),
        }
        for change in seen.changes[:SHOWN]
    ]  # fmt: skip


def _unallowed(migration: Migration, given: Given) -> frozenset[str]:
    """The codes in the header of a file that somebody still has to allow."""
    named = {code.strip() for code in dict(migration.header).get("hazards", "").split(",")}
    allowed = given.codes(migration)
    return frozenset() if "all" in allowed else frozenset(named & NEEDS_CONSENT) - allowed


def _attributes(snapshot: Snapshot, id: ObjectId) -> dict[str, Json] | None:
    fact = snapshot.facts.get(id)
    return dict(fact.attributes) if fact else None


def _deadlocks(live: psycopg.Connection[TupleRow]) -> int | None:
    row = live.execute(
        "select deadlocks from pg_catalog.pg_stat_database where datname = pg_catalog.current_database()"
    ).fetchone()
    return int(row[0]) if row else None
