"""The end of what is kept: destroyed when its time is over, held when somebody must not lose it, erased row by row where the law says.

Promises that nothing younger than the retention and nothing held is destroyed, and that whatever could not be done is named with
the reason. Each object has a transaction of its own. Nothing in the living schema is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog import quarantine
from reconciler.engine import erasing
from reconciler.errors import Usage
from reconciler.model import Quarantined
from reconciler.pg import connect, ident
from reconciler.settings import Database

Connection = psycopg.Connection[TupleRow]
_NOUNS = {
    "sequence": "sequence", "function": "function", "procedure": "procedure", "aggregate": "aggregate", "enum": "type",
    "composite": "type", "range": "type", "domain": "domain", "collation": "collation", "view": "view",
    "text_search_configuration": "text search configuration", "text_search_dictionary": "text search dictionary",
}  # fmt: skip
"""How DROP calls what is no table."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What was destroyed, and what stays, each with the reason."""

    gone: tuple[Quarantined, ...]
    left: tuple[tuple[Quarantined, str], ...]


def kept(database: Database) -> tuple[Quarantined, ...]:
    """What is kept of this database, oldest first."""
    with connect(database.target()) as live:
        return quarantine.kept(live)


def is_due(one: Quarantined, now: datetime, seconds: float) -> bool:
    """Whether it was kept for as long as it had to be, and nobody holds it."""
    return not one.held and datetime.fromisoformat(one.kept_at) <= now - timedelta(seconds=seconds)


def purge(
    database: Database,
    *,
    older_than: float | None = None,
    now: datetime | None = None,
    told: Callable[[str], None] = lambda stage: None,
) -> Purged:
    """Destroys what is kept for longer than the retention, or than `older_than` seconds, and not held.

    Raises Waiting or Stalled when the target cannot be read; what cannot be dropped is left, with PostgreSQL's reason.
    """
    moment = now or datetime.now(UTC)
    seconds = database.retention.seconds if older_than is None else older_than
    with connect(database.target()) as live:
        everything = quarantine.kept(live)
        todo = [one for one in everything if is_due(one, moment, seconds)]
        stays = {one.kept_as for one in everything if one not in todo}
        gone: list[Quarantined] = []
        reasons = dict.fromkeys(stays, "part of it is still to be kept")
        # A table's partitions before the table, and what tables stand on last: each round makes room for the next.
        while True:
            done = [
                one
                for one in todo
                if one.kept_as not in stays and _dropped(live, one, database, told, reasons)
            ]
            gone += done
            todo = [one for one in todo if one not in done]
            if not done:
                break
    return Purged(tuple(gone), tuple((one, reasons.get(one.kept_as, "")) for one in todo))


def _dropped(
    live: Connection,
    one: Quarantined,
    database: Database,
    told: Callable[[str], None],
    reasons: dict[str, str],
) -> bool:
    told(f"purge {one.id.kind} {one.id}")
    noun = _NOUNS.get(one.id.kind, "table")
    signature = one.id.part if noun in ("function", "procedure", "aggregate") else ""
    name = ident(quarantine.SCHEMA, one.kept_as)
    try:
        with live.transaction():
            live.execute(
                "select pg_catalog.set_config('lock_timeout', %s, true)", (str(database.lock_timeout),)
            )
            if reason := quarantine.held(live, one.kept_as):
                reasons[one.kept_as] = f"held: {reason}"
                return False
            if noun == "table" and _partitions(live, name):
                reasons[one.kept_as] = "a partition of it is still kept"
                return False
            live.execute(f"drop {noun} if exists {name}{signature}".encode())
            live.execute("delete from reconciler_quarantine.kept where id = %s", (one.number,))
    except psycopg.Error as error:
        reasons[one.kept_as] = (error.diag.message_primary or str(error)).strip()
        return False
    return True


def _partitions(live: Connection, name: str) -> bool:
    """Whether dropping this table would take others with it."""
    row = live.execute(
        "select exists (select from pg_catalog.pg_inherits where inhparent = pg_catalog.to_regclass(%s))",
        (name,),
    ).fetchone()
    return bool(row and row[0])


def hold(database: Database, names: Sequence[str], reason: str | None) -> tuple[Quarantined, ...]:
    """Holds what is kept under these names until it is released, or releases it when there is no reason.

    A name is what it was called (`public.invoices`, `public.invoices.total`) or is called now. Raises Usage for one that nothing has.
    """
    with connect(database.target()) as live:
        everything = quarantine.kept(live)
        chosen: list[Quarantined] = []
        for name in names:
            found = [one for one in everything if name in _names(one)]
            if not found:
                raise Usage(
                    f"nothing is kept under the name {name}", hint="reconciler purge --list shows what is"
                )
            chosen += found
        # What shares a table with it is held, too: there is only one to destroy. So is what stands below it, but a reason of
        # its own stays there: who releases the table has not released a partition that somebody else holds.
        named = {one.kept_as for one in chosen}
        before = sorted({one.held for one in everything if one.kept_as in named})
        with live.transaction():
            shared = quarantine.below(live, named)
            live.execute(
                "update reconciler_quarantine.kept set held = %s"
                " where kept_as = any(%s) or kept_as = any(%s) and (held is null or held = any(%s))",
                (reason, sorted(named), sorted(shared), before),
            )
        return tuple(one for one in quarantine.kept(live) if one.kept_as in shared)


def _names(one: Quarantined) -> set[str]:
    plain = ".".join(part for part in (one.id.schema, one.id.name, one.id.part) if part)
    return {str(one.id), plain, one.kept_as, f"{quarantine.SCHEMA}.{one.kept_as}"}


def erase(
    database: Database, condition: str, *, told: Callable[[str], None] = lambda stage: None
) -> tuple[erasing.Erased, ...]:
    """Deletes the rows that meet an SQL condition from everything that is kept and not held, and says what could not be asked.

    The condition is SQL of whoever runs this, with their rights.
    """
    with connect(database.target()) as live:
        return tuple(erasing.erased(live, one, condition, told) for one in _once(quarantine.kept(live)))


def _once(everything: Iterable[Quarantined]) -> Iterable[Quarantined]:
    """Each thing that holds rows, once, however many columns it keeps."""
    seen: set[str] = set()
    for one in everything:
        if one.id.kind not in _NOUNS and one.kept_as not in seen:
            seen.add(one.kept_as)
            yield one
