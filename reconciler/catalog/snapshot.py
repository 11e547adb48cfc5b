"""Reading a database into a `Snapshot`.

Few round trips ask for all kinds. A catalog read is not consistent even inside one repeatable-read transaction
(`pg_get_constraintdef`, `regclass` and `format_type` answer from the newest catalog), so the probe is taken before and
after: when it moved meanwhile the reading is thrown away and done again.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
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
    with connection.transaction(), _settings(connection), uncollected():
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
def uncollected() -> Iterator[None]:
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
    queries = {
        kind.name: f"select {columns} from ({query}) as k"
        for kind, query in zip(REGISTRY, _queries(scope, major), strict=True)
    }
    # First what gives most rows, last what takes the server longest for few: meanwhile the others are worked on here.
    first = {name: queries.pop(name) for name in ("table", "foreign_table", "column")}
    last = {"index": queries.pop("index")}
    more = {"": unmodelled.question(scope, major)}
    if full:
        more |= {"aliases": edges.ALIASES, "dependencies": edges.DEPENDENCIES}
    queries |= more
    known: dict[edges.Address, ObjectId] = {}
    digests: dict[ObjectId, str] = {}
    facts: dict[ObjectId, Fact] = {}
    parts = []
    beside: dict[str, list[Any]] = {}
    for name, rows in _answers(connection, first, queries, last):
        if name in more:
            beside[name] = rows
            continue
        ids = [ObjectId(name, row[3], row[4], row[5]) for row in rows]
        known |= {row[:3]: id for id, row in zip(ids, rows, strict=True)}
        if not full:
            digests |= {id: row[6] for id, row in zip(ids, rows, strict=True)}
            continue
        for id, row in zip(ids, rows, strict=True):
            digests[id] = digest = _digest(row[6])
            parent = None if row[7] is None else known.get(row[7:10])
            facts[id] = Fact(id, Attributes(row[6]), digest, parent, row[10])
            if parent is None and row[7] is not None:
                parts.append((id, row[7:10]))
    for id, address in parts:  # whose whole was read after them
        facts[id] = replace(facts[id], parent=known.get(address))
    names = unmodelled.named(connection, beside[""], known.keys())
    needs = edges.resolve(known, beside["aliases"], beside["dependencies"]) if full else {}
    return Snapshot(digests, facts, needs, names, major)


def _answers(connection: Connection, *batches: dict[str, str]) -> Iterator[tuple[str, list[Any]]]:
    """(name, rows) of each query, one round trip a batch. While one batch is handed out the server works on the next."""
    with ThreadPoolExecutor(1) as one:
        try:
            for batch, answer in [(batch, one.submit(_batch, connection, batch)) for batch in batches]:
                yield from zip(batch, answer.result(), strict=True)
        finally:
            one.shutdown(cancel_futures=True)


def _batch(connection: Connection, queries: dict[str, str]) -> list[list[Any]]:
    with connection.pipeline():
        cursors = [
            connection.cursor(row_factory=tuple_row).execute(query.encode()) for query in queries.values()
        ]
    return [cursor.fetchall() for cursor in cursors]


def _digest(attributes: str) -> str:
    """What the server's md5() says of the same text."""
    return hashlib.md5(attributes.encode(), usedforsecurity=False).hexdigest()


def within(snapshot: Snapshot, scope: Scope) -> Snapshot:
    """The part of a snapshot of everything that is in scope, as if it had been read with that scope."""
    chosen = inside(snapshot, scope)
    if len(chosen) == len(snapshot.digests):
        return snapshot
    return restricted(snapshot, chosen)


def inside(snapshot: Snapshot, scope: Scope) -> set[ObjectId]:
    """What of a snapshot of everything is in scope."""
    schemas = {schema for schema in {_schema(id) for id in snapshot.digests} if not schema or schema in scope}
    chosen = {id for id in snapshot.digests if _schema(id) in schemas and (scope.outside or _schema(id))}
    if scope.lent:
        lent = (id for id in snapshot.digests if id.schema in scope.lent and id.kind in ("policy", "trigger"))
        chosen |= {id for id in lent if id.kind == "policy" or _runs_ours(snapshot, id, schemas)}
    return chosen


def _runs_ours(snapshot: Snapshot, trigger: ObjectId, schemas: Collection[str]) -> bool:
    return any(need.kind == "function" and need.schema in schemas for need in snapshot.edges.get(trigger, ()))


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
