"""Rows of one person deleted from what is kept, and nothing else: no trigger, rule or policy of the table has a say.

Promises that a table is as it was but for those rows, or wholly as it was. Knows nothing of the living schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.quarantine import SCHEMA
from reconciler.engine.custody import Obstacle, Refused, bounded, of_postgres, settled, several
from reconciler.engine.referring import keys, require_kept, require_no_effect
from reconciler.model import Quarantined
from reconciler.pg import ident, literal
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
    key: str = ""
    """The foreign key that was in the way, and may be out of it once rows are erased elsewhere."""


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
    return Erased(one, None, obstacle.reason, obstacle.passes, obstacle.key)


def _deleted(live: Connection, name: str, condition: str) -> int:
    """How many rows went: those that met the condition, and not one beside them, here or where a foreign key refers to here."""
    # What would wait for the end of the transaction happens while it can be seen, and stands in no ALTER TABLE's way.
    live.execute("set constraints all immediate")
    found = keys(live, name)
    require_kept(found)
    referring = {key.table: key.source for key in found if key.table != name}
    for table in referring:
        live.execute(f"lock table {table} in access exclusive mode".encode())
    places = {name: f"only {name}", **referring}
    with _alone(live, places):
        require_no_effect(live, name, condition, found)
        before = {table: _seen(live, source, name, table == name) for table, source in places.items()}
        # By the extended protocol, in which PostgreSQL takes one statement and no more.
        gone = live.execute(f"delete from only {name} where ({condition})".encode(), binary=True).rowcount
        left = live.execute(
            f"select exists (select from only {name} where ({condition}))".encode(), binary=True
        ).fetchone()
        if left is None or left[0]:
            raise Refused(Obstacle("rows that meet the condition would stay"))
        for table, (count, touched) in before.items():
            now, changed = _seen(live, places[table], name, table == name)
            if (now, changed) != (count - (gone if table == name else 0), touched):
                raise Refused(
                    Obstacle(
                        f"{several(gone)} would be deleted, but {table} would have {several(now)} after {several(count)},"
                        f" {changed - touched} of them changed"
                    )
                )
    return gone


def _seen(live: Connection, source: str, name: str, own: bool) -> tuple[int, int]:
    """How many rows there are, and how many of them this transaction wrote; elsewhere without those of the table itself."""
    row = live.execute(
        "select pg_catalog.count(*), pg_catalog.count(*) filter (where xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid)"
        f" from {source} where (tableoid = {literal(name)}::pg_catalog.regclass) = {own}".encode()
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


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
def _alone(live: Connection, names: Iterable[str]) -> Iterator[None]:
    """Triggers, rules and forced policies off meanwhile, and then as they were."""
    back: list[str] = []
    for name in names:
        for what, state in live.execute(_SWITCHES, {"table": name}).fetchall():
            live.execute(f"alter table only {name} disable {what}".encode())
            back.append(f"alter table only {name} {_ON[state]} {what}")
        row = live.execute(
            "select relforcerowsecurity from pg_catalog.pg_class where oid = %s::pg_catalog.regclass", (name,)
        ).fetchone()
        if row and row[0]:
            live.execute(f"alter table only {name} no force row level security".encode())
            back.append(f"alter table only {name} force row level security")
    live.execute("set local row_security = off")
    yield
    for statement in back:
        live.execute(statement.encode())
