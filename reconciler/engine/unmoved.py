"""What the last look found, for as long as nothing has moved since: a probe of the target instead of all its definitions.

Knows what a look depends on: the state of the target (its identity, its probe, who asks, what changes how PostgreSQL prints), the
declarations' bytes, and the configuration. Promises that a remembered answer is given only when all of that is the same. Where
that cannot be seen, everything is read again.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler import declare, migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.probe import identity, probe
from reconciler.catalog.scope import EVERYTHING
from reconciler.engine import cache
from reconciler.engine.copy import PLAN_SETTINGS
from reconciler.engine.desired import Trust
from reconciler.errors import ReconcilerError
from reconciler.model import ObjectId, Snapshot
from reconciler.pg import connect
from reconciler.settings import Database

Connection = psycopg.Connection[TupleRow]

_PRINTING = (*PLAN_SETTINGS, "xmlbinary", "timezone_abbreviations")
"""Settings that change how PostgreSQL prints a definition, or what a declaration means."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A look that found no difference. `before` and `after` have a fingerprint and no objects: nobody has read them again."""

    before: Snapshot
    after: Snapshot
    extra: tuple[ObjectId, ...]
    unmodelled: tuple[str, ...]


def state(live: Connection) -> str:
    """A name for everything that a snapshot of this database shows now, and for how it is read."""
    return _name(live, probe(live))


def snapshot(live: Connection) -> tuple[Snapshot, str]:
    """The whole target, from the cache when nothing moved since it was read; and the name of its state."""
    name = state(live)
    saved = cache.load("live", name)
    if saved is not None:
        return cache.unpacked(saved)[0], name
    whole, mark = catalog.probed(live)
    name = _name(live, mark)
    cache.save("live", name, cache.packed(whole, ()))
    return whole, name


def settled(database: Database, *, trust: Trust) -> Settled | None:
    """The last look when it found no difference and nothing has moved since; None when it has to be looked again, also when
    the target cannot be read: whoever looks then finds out why, after the declarations."""
    content = declare.content(database.schema_dir, exclude=database.migrations)
    try:
        with connect(database.target()) as live:
            name = state(live)
            owned = migrate.owned(live)
    except ReconcilerError:
        return None
    saved = cache.load("settled", _look(database, trust, content, name, owned))
    if saved is None:
        return None
    before, after = (
        Snapshot({}, {}, {}, tuple(saved["unmodelled"]), saved["major"]).marked(value)
        for value in saved["fingerprints"]
    )
    extra = tuple(ObjectId(*id) for id in saved["extra"])
    return Settled(before, after, extra, tuple(saved["unmodelled"]))


def remember(
    database: Database,
    trust: Trust,
    content: str,
    name: str,
    owned: dict[ObjectId, str],
    found: Settled,
) -> None:
    """Keeps a look that found no difference. `content` and `name` are what was looked at: declarations and target."""
    value = {
        "major": found.before.major,
        "fingerprints": [found.before.fingerprint, found.after.fingerprint],
        "extra": [list(id) for id in found.extra],
        "unmodelled": list(found.unmodelled),
    }
    cache.save("settled", _look(database, trust, content, name, owned), value)


def _name(live: Connection, mark: str) -> str:
    row = live.execute("select current_user::text, session_user::text").fetchone() or ()
    printing = live.execute(
        "select s.name, s.setting from pg_catalog.pg_settings as s where s.name = any(%s) order by s.name",
        (list(_PRINTING),),
    ).fetchall()
    how = catalog.words(EVERYTHING, live.info.server_version // 10000)
    return cache.key(identity(live), list(row), [list(one) for one in printing], how, mark)


def _look(database: Database, trust: Trust, content: str, name: str, owned: dict[ObjectId, str]) -> str:
    schemas = database.schemas if database.schemas == "auto" else sorted(database.schemas)
    return cache.key(
        name, content, trust, str(database.shadow), schemas, sorted(database.exclude), database.platform, database.prune,
        sorted([*id] for id in owned),
    )  # fmt: skip


def inputs(database: Database) -> str:
    """A name for everything that a person may change to let a refused plan run: declarations, migration files, the database, its
    history, approvals and configuration. Raises as `connect` does."""
    with connect(database.target()) as live:
        rows, approved = migrate.read(live), migrate.approvals(live)
        return cache.key(
            declare.content(database.schema_dir, exclude=database.migrations),
            declare.content(database.migrations), state(live), [(row.version, row.direction, row.steps_done) for row in rows],
            sorted((one.version, one.checksum, one.codes) for one in approved.values()), database.model_dump_json(exclude={"url"}),
        )  # fmt: skip
