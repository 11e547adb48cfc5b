"""What an interrupted concurrent build left behind: an index that is invalid, serves no query and costs every write.

It counts as not there: a plan makes the index, and the rest is dropped just before. One that nobody asks for (`…_ccnew`, `…_ccold` of a
REINDEX) is only named, with the statement that drops it. Never touches a valid index, nor one that somebody is building now.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import psycopg

from reconciler import migrate
from reconciler.catalog.snapshot import restricted
from reconciler.errors import Waiting
from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.pg import Url, connect, ident
from reconciler.run import ConcurrentBuild
from reconciler.run.invalid import drop_invalid
from reconciler.run.trouble import passes_by_itself, told

_INVALID = """
select n.nspname::text, c.relname::text, x.indrelid::pg_catalog.regclass::text
  from pg_catalog.pg_index as x join pg_catalog.pg_class as c on c.oid = x.indexrelid
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where not x.indisvalid and c.relkind = 'i'
 order by 1, 2
"""
_REINDEX = re.compile(r"_cc(new|old)\d*\Z")


def without(state: Snapshot) -> tuple[Snapshot, tuple[Fact, ...]]:
    """The state without its invalid indexes, and these."""
    found = tuple(fact for fact in state.by_kind.get("index", ()) if fact["invalid"])
    if not found:
        return state, ()
    return restricted(state, state.digests.keys() - {fact.id for fact in found}), found


def seen(live: psycopg.Connection[Any]) -> tuple[Fact, ...]:
    """The invalid indexes of a database, without reading the rest of it."""
    return tuple(
        Fact(ObjectId("index", schema, name), {"table": table, "invalid": True}, "")
        for schema, name, table in live.execute(_INVALID).fetchall()
    )


def sentence(left: Fact) -> str:
    """What it is and how it goes."""
    what = "an interrupted build"
    if _REINDEX.search(left.id.name):
        end = "old" if "_ccold" in left.id.name else "new"
        what = f"an interrupted REINDEX CONCURRENTLY (the {end} one of two)"
    name = ident(left.id.schema, left.id.name)
    return f"index {left.id} on {left['table']} is invalid, left by {what}: drop index concurrently {name};"


def cleared(
    url: Url, left: Iterable[Fact], wanted: Collection[ObjectId], *, lock_timeout: str
) -> tuple[ObjectId, ...]:
    """Drops those that are about to be built again, and names them. Raises Waiting while somebody holds them."""
    due = [fact for fact in left if fact.id in wanted]
    dropped = []
    for fact in due:
        with connect(url, application_name="reconciler apply") as live:
            migrate.require_own(
                live, lambda: connect(url)
            )  # a concurrent drop has no transaction to set it in
            live.execute("select pg_catalog.set_config('lock_timeout', %s, false)", (lock_timeout,))
            try:
                if drop_invalid(live, ConcurrentBuild(ident(fact.id.name), fact["table"], guarded=True)):
                    dropped.append(fact.id)
            except psycopg.Error as error:
                if not passes_by_itself(error):
                    raise
                raise Waiting(
                    f"index {fact.id}, left invalid by an interrupted build, cannot be dropped now: {told(error)}",
                    hint="let old transactions end and run the same command again",
                ) from error
    return tuple(dropped)
