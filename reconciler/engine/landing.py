"""One rehearsed migration, brought into the database or taken back: bound to the state it was made for, and looked at before its commit.

What was there when it was planned is there when it runs; what comes out is compared, in the last transaction, with what came out of
the rehearsal: an index that IF NOT EXISTS took for the wanted one is noticed there. Decides nothing about whether it may run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from reconciler import migrate
from reconciler.catalog import snapshot as catalog
from reconciler.engine.consent import Given, client
from reconciler.engine.trying import Rehearsed
from reconciler.engine.work import Work
from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.migrate import Progress
from reconciler.model import Applied, ObjectId, Snapshot
from reconciler.pg import connect
from reconciler.run import Hook, Pace, steps
from reconciler.run.placeholders import from_environment
from reconciler.run.stop import Stop


@dataclass(frozen=True, slots=True)
class Warrant:
    """By what right a process applies that is one of several. `check` raises inside each transaction when it has lost it; `silence` is
    how long its session may be idle before the server ends it (PostgreSQL's notation): a process that is frozen lets go by then."""

    check: Hook
    silence: str


def land(
    work: Work,
    one: Rehearsed,
    given: Given,
    on_statement: Callable[[Progress], None],
    on_note: Callable[[str], None] = lambda note: None,
    stop: Stop | None = None,
    *,
    down: bool = False,
    out_of_order: bool = False,
    warrant: Warrant | None = None,
) -> Applied:
    """Runs it. Raises Waiting when the database is not what it was planned for, or when `stop` was asked; Stalled when what came out
    is not what was rehearsed."""
    watch: Callable[[psycopg.Connection[Any]], None] = stop.watch if stop else lambda session: None
    stop = stop or Stop()
    stop.check()
    touched = {*(change.id for change in one.changes), *one.moved.values()}
    olds = {*(change.was for change in one.changes if change.was is not None), *one.moved}
    reads = _closure(touched | olds, one.before, _parents(one.before, one.after))
    run = migrate.rollback if down else migrate.apply
    migration = one.migration
    if not down:
        migration = replace(migration, before=one.before.fingerprint, after=one.after.fingerprint)
    busy = _busy(work, one, touched | olds)
    script = steps(migration.down if down else migration.up)
    stands = "everything was rolled back" if not script or script[-1].transactional else _STANDS

    def told(progress: Progress) -> None:
        on_statement(progress)
        if progress.statement.transactional:  # else it took effect, and is recorded before anything ends
            stop.check()

    def as_rehearsed(connection: psycopg.Connection[Any]) -> None:
        # Reading the catalogs takes longer than anybody should wait for a busy table: there only indexes and constraints are
        # looked at, which IF NOT EXISTS may have taken for what they are not, and the rest is read afterwards.
        if busy:
            different = _other_keys(connection, one.after, touched)
            if different:
                raise _strange(different, stands)
        else:
            _expect(work, one.after, touched, lambda ids: _strange(ids, stands))(connection)

    def may_go_on(connection: psycopg.Connection[Any]) -> None:
        stop.check()
        if warrant is not None:
            warrant.check(connection)

    try:
        applied = run(
            work.url,
            migration,
            lock_timeout=str(work.database.lock_timeout),
            statement_timeout=str(work.database.statement_timeout),
            expected_before=_expect(work, one.before, reads, _stale),
            confirm=as_rehearsed,
            fence=may_go_on,
            silence=warrant.silence if warrant else "0",
            on_session=watch,
            on_progress=told,
            on_notice=on_note,
            changes=one.changes,
            moved=one.moved,
            lent=work.scope.lent,
            out_of_order=out_of_order,
            client=", ".join(filter(None, (client(), work.database.origin))),
            consents=given.consents(one.migration, one.hazards, down=down),
            resolve=from_environment(os.environ),
            pace=Pace(sleep=stop.sleep),
        )
    except Waiting as error:
        if not stop.asked:
            raise
        raise _stopped(error, work, migration.version, stop.why) from error
    finally:
        stop.rest()
    if busy:
        with connect(work.url) as live:
            _expect(work, one.after, touched, lambda ids: _strange(ids, "it is applied"))(live)
    return applied


_KEYS = """
select 'index', n.nspname::text, i.relname::text, '', pg_catalog.pg_get_indexdef(i.oid), x.indisvalid or i.relkind = 'I'
  from pg_catalog.pg_index as x join pg_catalog.pg_class as i on i.oid = x.indexrelid
       join pg_catalog.pg_namespace as n on n.oid = i.relnamespace
 where (n.nspname::text, i.relname::text) in (select * from unnest(%(schemas)s::text[], %(names)s::text[]))
union all
select 'constraint', n.nspname::text, c.relname::text, k.conname::text, pg_catalog.pg_get_constraintdef(k.oid), true
  from pg_catalog.pg_constraint as k join pg_catalog.pg_class as c on c.oid = k.conrelid
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where (n.nspname::text, c.relname::text) in (select * from unnest(%(schemas)s::text[], %(names)s::text[]))
 order by 1, 2, 3, 4
"""


def _other_keys(
    connection: psycopg.Connection[Any], state: Snapshot, ids: Collection[ObjectId]
) -> list[ObjectId]:
    """Those of the indexes and constraints that are not there, not valid, or defined differently than in `state`: some milliseconds."""
    wanted = {id: state.facts[id] for id in ids if id.kind in ("index", "constraint") and id in state.facts}
    if not wanted:
        return []
    names = {"schemas": [id.schema for id in wanted], "names": [id.name for id in wanted]}
    (path,) = connection.execute("select pg_catalog.current_setting('search_path')").fetchone() or ("",)
    connection.execute("select pg_catalog.set_config('search_path', '', true)")
    rows = connection.execute(_KEYS, names).fetchall()
    connection.execute("select pg_catalog.set_config('search_path', %s, true)", (path,))
    there = {ObjectId(*row[:4]): row[4] for row in rows if row[5]}
    return [id for id, fact in wanted.items() if not fact["invalid"] and there.get(id) != fact["definition"]]


def _busy(work: Work, one: Rehearsed, ids: Iterable[ObjectId]) -> bool:
    """Whether one of the tables that this is about is so large that it is changed online."""
    parents = _parents(one.before, one.after)
    tables = {parents.get(id, id) for id in ids}
    return any(work.sizes[table].rows >= work.database.online_rows for table in tables if table in work.sizes)


_STANDS = (
    "what ran outside a transaction stands: look at it, and drop what has the name and is something else"
)


def _stale(ids: Collection[ObjectId]) -> Exception:
    return Waiting(
        f"the database changed since it was planned: {_named(ids)}", hint="run the same command again"
    )


def _strange(ids: Collection[ObjectId], stands: str) -> Exception:
    return Stalled(
        f"the database is not as rehearsed after the last statement, in {_named(ids)}; {stands}",
        hint="reconciler drift shows the difference, reconciler plan the way on",
    )


def _named(ids: Collection[ObjectId]) -> str:
    first = ", ".join(f"{id.kind.replace('_', ' ')} {id}" for id in sorted(ids)[:3])
    return f"{first} and {len(ids) - 3} more" if len(ids) > 3 else first


def _stopped(error: Waiting, work: Work, version: str, why: str) -> Waiting:
    """The same error, with what asked for it and what stands in the database now."""
    stands = "reconciler history says what stands"
    # Where the server is gone the run has stopped all the same.
    with suppress(ReconcilerError, psycopg.Error), connect(work.url) as live:
        row = migrate.latest(migrate.read(live)).get(version)
        stands = "nothing of it is in the database"
        if row is not None:
            stands = f"it is {migrate.state_of(row)} ({row.steps_done} of {row.steps} steps)"
    what = error.what if error.what.startswith("stopped by") else f"stopped by {why}: {error.what}"
    return Waiting(
        f"{what}; migration {version}: {stands}",
        hint="run the same command again: it goes on from what stands",
    )


def _expect(
    work: Work,
    state: Snapshot,
    ids: Collection[ObjectId],
    refusal: Callable[[Collection[ObjectId]], Exception],
) -> Callable[[psycopg.Connection[Any]], None]:
    """A check, inside the transaction that applies, that these objects are as in `state`."""

    def check(connection: psycopg.Connection[Any]) -> None:
        now = catalog.read(connection, work.scope, depth="digests")
        different = [id for id in ids if now.digests.get(id) != state.digests.get(id)]
        if different:
            raise refusal(different)

    return check


def _closure(ids: Iterable[ObjectId], state: Snapshot, parents: Mapping[ObjectId, ObjectId]) -> set[ObjectId]:
    """What a plan about these objects has read: the objects, what they are part of with all its parts, and what those need."""
    found: set[ObjectId] = set()
    todo = list(ids)
    for id in ids:
        whole = parents.get(id, id)
        todo += [whole, *(part.id for part in state.children.get(whole, ()))]
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += state.edges.get(id, ())
    return found


def _parents(*sides: Snapshot) -> dict[ObjectId, ObjectId]:
    return {id: fact.parent for side in sides for id, fact in side.facts.items() if fact.parent is not None}
