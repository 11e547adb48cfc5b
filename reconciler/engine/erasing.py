"""Rows of one person deleted from what is kept, and nothing else: no trigger, rule or policy of the table has a say.

Promises that a table is as it was but for those rows, or wholly as it was. Knows nothing of the living schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.quarantine import SCHEMA
from reconciler.engine.custody import Obstacle, Refused, bounded, of_postgres, settled
from reconciler.model import Quarantined
from reconciler.pg import ident
from reconciler.settings import Database

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows went from one thing that is kept; None when that could not be asked, with the reason."""

    kept: Quarantined
    rows: int | None
    reason: str = ""
    passes: bool = False
    """Whether the next try may get through with nobody acting."""


def rows(number: int) -> str:
    """So many rows, as a sentence says it."""
    return f"{number:,} {'row' if number == 1 else 'rows'}"


def erased(
    live: Connection, one: Quarantined, condition: str, database: Database, told: Callable[[str], None]
) -> Erased:
    """Deletes the rows of `one` that meet the condition. A partitioned table's are in its partitions, which are kept, too."""
    told(f"erase from {one.id.kind} {one.id}")
    try:
        with bounded(live, database):
            settled(live, [one])
            return Erased(one, _deleted(live, ident(SCHEMA, one.kept_as), condition))
    except Refused as refused:
        return _not(one, refused.obstacle)
    except psycopg.Error as error:
        return _not(one, of_postgres(error))


def _not(one: Quarantined, obstacle: Obstacle) -> Erased:
    return Erased(one, None, obstacle.reason, obstacle.passes)


def _deleted(live: Connection, name: str, condition: str) -> int:
    with _alone(live, name):
        # By the extended protocol, in which PostgreSQL takes one statement and no more.
        found = live.execute(f"delete from only {name} where ({condition})".encode(), binary=True)
        left = live.execute(
            f"select exists (select from only {name} where ({condition}))".encode(), binary=True
        ).fetchone()
        if left is None or left[0]:
            raise Refused(Obstacle("rows that meet the condition would stay"))
    return found.rowcount


# A partition's copies of its table's row triggers are triggers of its own here: each fires, and each can be switched alone.
_SWITCHES = """
select pg_catalog.format('trigger %%I', t.tgname), t.tgenabled::text from pg_catalog.pg_trigger as t
 where t.tgrelid = %(table)s::pg_catalog.regclass and not t.tgisinternal and t.tgenabled <> 'D'
union all
select pg_catalog.format('rule %%I', r.rulename), r.ev_enabled::text from pg_catalog.pg_rewrite as r
 where r.ev_class = %(table)s::pg_catalog.regclass and r.rulename <> '_RETURN' and r.ev_enabled <> 'D'
 order by 1
"""
_ON = {"O": "enable", "R": "enable replica", "A": "enable always"}


@contextmanager
def _alone(live: Connection, name: str) -> Iterator[None]:
    """Triggers, rules and forced policies off meanwhile, and then as they were."""
    switches = live.execute(_SWITCHES, {"table": name}).fetchall()
    row = live.execute(
        "select relforcerowsecurity from pg_catalog.pg_class where oid = %s::pg_catalog.regclass", (name,)
    ).fetchone()
    forced = bool(row and row[0])
    for what, _ in switches:
        live.execute(f"alter table only {name} disable {what}".encode())
    if forced:
        live.execute(f"alter table {name} no force row level security".encode())
    live.execute("set local row_security = off")
    yield
    if forced:
        live.execute(f"alter table {name} force row level security".encode())
    for what, state in switches:
        live.execute(f"alter table only {name} {_ON[state]} {what}".encode())
