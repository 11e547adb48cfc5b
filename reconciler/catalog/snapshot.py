"""Reading a database into a `Snapshot`.

One round trip asks all kinds at once. A catalog read is not consistent even inside one repeatable-read transaction
(`pg_get_constraintdef`, `regclass` and `format_type` answer from the newest catalog), so the probe is taken before and
after: when it moved meanwhile the reading is thrown away and done again.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

import psycopg
from psycopg.rows import tuple_row

from reconciler.catalog import edges, unmodelled
from reconciler.catalog.kinds import REGISTRY
from reconciler.catalog.probe import probe
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.errors import Waiting
from reconciler.model import Attributes, Fact, ObjectId, Snapshot, fingerprint_of

Connection = psycopg.Connection[Any]
Depth = Literal["digests", "facts"]
TRIES = 5
_MD5 = "pg_catalog.md5(pg_catalog.convert_to(attributes, 'UTF8'))"
"""In whatever encoding the database is: the same as here."""
_LINE = (
    "pg_catalog.convert_to(pg_catalog.concat(pg_catalog.length(schema), ':', schema, pg_catalog.length(name), ':', name,"
    f" pg_catalog.length(part), ':', part), 'UTF8') || pg_catalog.convert_to({_MD5}, 'UTF8')"
)
_LINES = f"pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg({_LINE}, '\\x0a'::bytea order by {_LINE})), 'hex')"
"""What `model.fingerprint_of` wants of a kind; bytes in UTF-8 sort as Python sorts text."""


def read(connection: Connection, scope: Scope = EVERYTHING, *, depth: Depth = "facts") -> Snapshot:
    """All objects in scope. With `depth="digests"` attributes and edges stay on the server: enough to compare.

    The connection must be in autocommit mode or in a transaction of its own; its search_path is set to '' while reading.
    Raises Waiting when the catalog does not hold still.
    """
    return probed(connection, scope, depth=depth)[0]


def fingerprint(connection: Connection, scope: Scope = EVERYTHING) -> str:
    """The fingerprint of `read`, made by the server: nothing but one line a kind leaves it."""
    major = connection.info.server_version // 10000
    found: dict[str, str] = {}
    with _still(connection) as tries:
        for _ in tries:
            with connection.pipeline():
                answers = [
                    connection.cursor(row_factory=tuple_row).execute(f"select {_LINES} from ({query}) as k")
                    for query in _queries(scope, major)
                ]
            values = [answer.fetchone() for answer in answers]
            found = {
                kind.name: row[0]
                for kind, row in zip(REGISTRY, values, strict=True)
                if row is not None and row[0]
            }
    return fingerprint_of(found)


def probed(
    connection: Connection, scope: Scope = EVERYTHING, *, depth: Depth = "facts"
) -> tuple[Snapshot, str]:
    """The same with the value of the probe that holds for it."""
    found: list[tuple[Snapshot, str]] = []
    with _still(connection) as tries:
        for mark in tries:
            found = [(_read(connection, scope, depth), mark)]
    return found[0]


@contextmanager
def _still(connection: Connection) -> Iterator[Iterator[str]]:
    """Iterates over the value of the probe, until nothing has moved while the body ran with it.

    Where no transaction at all has ended meanwhile, on the whole server, nothing can have; else the probe is asked again.
    """
    with connection.transaction(), _settings(connection), _uncollected():
        yield _tries(connection)


def _tries(connection: Connection) -> Iterator[str]:
    moment, before = _moment(connection), probe(connection)
    for _ in range(TRIES):
        yield before
        if _moment(connection) == moment:
            return
        moment, after = _moment(connection), probe(connection)
        if after == before:
            return
        before = after
    raise Waiting(
        "the catalog kept changing while it was read",
        hint="try again when the other schema change has finished",
    )


def _moment(connection: Connection) -> str:
    """Which transactions have ended. Never twice the same where that does not show: in a transaction that keeps to its first
    snapshot, and on a standby, whose snapshots do not name the transactions that are under way."""
    row = connection.execute(
        "select pg_catalog.pg_current_snapshot()::text || case when pg_catalog.current_setting('transaction_isolation') ="
        " 'read committed' and not pg_catalog.pg_is_in_recovery() then '' else pg_catalog.clock_timestamp()::text end"
    ).fetchone()
    return str(row[0]) if row else ""


def words(scope: Scope, major: int) -> str:
    """A digest of how this version of the program reads: what was read in other words is not the same reading."""
    asked = (*_queries(scope, major), unmodelled.question(scope, major), edges.ALIASES, edges.DEPENDENCIES)
    return hashlib.sha256("\0".join(asked).encode()).hexdigest()


@contextmanager
def _settings(connection: Connection) -> Iterator[None]:
    """Names are printed in full meanwhile, and PostgreSQL may gather what it looks up often. Put back by hand: inside somebody's
    transaction SET LOCAL outlives a savepoint."""
    names = ("search_path", "quote_all_identifiers", "work_mem", "jit")
    asked = ", ".join(f"pg_catalog.current_setting('{name}')" for name in names)
    row = connection.execute(f"select {asked}".encode()).fetchone()
    connection.execute("set local search_path to ''")
    connection.execute("set local quote_all_identifiers to off")
    connection.execute("set local work_mem to '64MB'")
    connection.execute("set local jit to off")
    yield
    put_back = ", ".join(f"pg_catalog.set_config('{name}', %s, true)" for name in names)
    connection.execute(f"select {put_back}".encode(), row)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's cycle collector meanwhile: it would walk all objects again and again as they become more, and none is
    garbage."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@lru_cache(maxsize=64)
def _queries(scope: Scope, major: int) -> tuple[str, ...]:
    """The query of each kind, in the order of the registry."""
    return tuple(kind.read(scope, major) for kind in REGISTRY)


def _read(connection: Connection, scope: Scope, depth: Depth) -> Snapshot:
    major = connection.info.server_version // 10000
    full = depth == "facts"
    columns = "classid, objid, subid, schema, name, part"
    if full:
        columns += ", attributes, parent_class, parent_oid, parent_sub, position"
    else:
        columns += f", {_MD5}"
    with connection.pipeline():
        answers = [
            connection.cursor(row_factory=tuple_row).execute(f"select {columns} from ({query}) as k")
            for query in _queries(scope, major)
        ]
        strange = connection.cursor(row_factory=tuple_row).execute(unmodelled.question(scope, major))
        if full:
            aliases = connection.cursor(row_factory=tuple_row).execute(edges.ALIASES)
            dependencies = connection.cursor(row_factory=tuple_row).execute(edges.DEPENDENCIES)
    known: dict[edges.Address, ObjectId] = {}
    digests: dict[ObjectId, str] = {}
    rows = []
    for kind, answer in zip(REGISTRY, answers, strict=True):
        for row in answer.fetchall():
            id = ObjectId(kind.name, row[3], row[4], row[5])
            known[row[:3]] = id
            if full:
                digests[id] = _digest(row[6])
                rows.append((id, row))
            else:
                digests[id] = row[6]
    names = unmodelled.named(connection, strange.fetchall(), known.keys())
    if not full:
        return Snapshot(digests, {}, {}, names, major)
    facts = {
        id: Fact(
            id, Attributes(row[6]), digests[id], None if row[7] is None else known.get(row[7:10]), row[10]
        )
        for id, row in rows
    }
    needs = edges.resolve(known, aliases.fetchall(), dependencies.fetchall())
    return Snapshot(digests, facts, needs, names, major)


def _digest(attributes: str) -> str:
    """What the server's md5() says of the same text."""
    return hashlib.md5(attributes.encode(), usedforsecurity=False).hexdigest()


def within(snapshot: Snapshot, scope: Scope) -> Snapshot:
    """The part of a snapshot of everything that is in scope, as if it had been read with that scope."""
    chosen = {id for id in snapshot.digests if not _schema(id) or _schema(id) in scope}
    if not scope.outside:
        chosen = {id for id in chosen if _schema(id)}
    return restricted(snapshot, chosen)


def _schema(id: ObjectId) -> str:
    return id.name if id.kind == "schema" else id.schema


def restricted(snapshot: Snapshot, keep: Collection[ObjectId]) -> Snapshot:
    """The snapshot with only these objects in it."""
    chosen = set(keep)
    return Snapshot(
        {id: digest for id, digest in snapshot.digests.items() if id in chosen},
        {id: fact for id, fact in snapshot.facts.items() if id in chosen},
        {id: needs & chosen for id, needs in snapshot.edges.items() if id in chosen},
        snapshot.unmodelled,
        snapshot.major,
    )


def merged(
    base: Snapshot, more: Mapping[ObjectId, Fact], edges: Mapping[ObjectId, frozenset[ObjectId]]
) -> Snapshot:
    """The snapshot with more objects in it, as another snapshot knew them."""
    return Snapshot(
        {**base.digests, **{id: fact.digest for id, fact in more.items()}},
        {**base.facts, **more},
        {**base.edges, **edges},
        base.unmodelled,
        base.major,
    )
