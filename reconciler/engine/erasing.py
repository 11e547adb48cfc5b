"""Rows of one person deleted from what is kept, and nothing else: no trigger, rule or policy of the table has a say.

Promises that a table is as it was but for those rows, or wholly as it was. Knows nothing of the living schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.quarantine import SCHEMA, held
from reconciler.model import Quarantined
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows went from one thing that is kept; None when that could not be asked, with the reason."""

    kept: Quarantined
    rows: int | None
    reason: str = ""


class _Refused(Exception):
    """Why nothing is erased from this table: its transaction is undone."""


def erased(live: Connection, one: Quarantined, condition: str, told: Callable[[str], None]) -> Erased:
    """Deletes the rows of `one` that meet the condition. A partitioned table's are in its partitions, which are kept, too."""
    told(f"erase from {one.id.kind} {one.id}")
    name = ident(SCHEMA, one.kept_as)
    try:
        with live.transaction():
            live.execute(f"lock table only {name} in access exclusive mode".encode())
            if reason := held(live, one.kept_as):
                return Erased(one, None, f"held: {reason}")
            with _alone(live, name):
                # By the extended protocol, in which PostgreSQL takes one statement and no more.
                found = live.execute(f"delete from only {name} where ({condition})".encode(), binary=True)
                left = live.execute(
                    f"select exists (select from only {name} where ({condition}))".encode(), binary=True
                ).fetchone()
                if left is None or left[0]:
                    raise _Refused("rows that meet the condition would stay")
            return Erased(one, found.rowcount)
    except _Refused as refused:
        return Erased(one, None, str(refused))
    except psycopg.Error as error:
        return Erased(one, None, (error.diag.message_primary or str(error)).strip())


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
