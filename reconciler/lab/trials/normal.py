"""The usual case at each isolation level: it runs, invariants hold afterwards, and every row it wrote belongs to the tenant that acted."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from reconciler.lab.trials.bench import Bench, Firing, Tried
from reconciler.lab.values import LEVELS
from reconciler.model import ObjectId
from reconciler.pg import ident

_MADE_NOW = "pg_catalog.age(x.xmin) <= 0"
"""Rows of this transaction, its savepoints included (manual: age(xid))."""


def at_each_level(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """One case for each level."""
    for level in LEVELS:
        with bench.undone(firing.given, level=level):
            before = {str(broken) for broken in bench.invariants.broken(bench.connection)}
            came = bench.run(firing.identity, firing.sql, firing.trigger)
            broken = [b for b in bench.invariants.broken(bench.connection) if str(b) not in before]
            strange = [] if came.failed else list(_strangers(bench, came.written))
        name = f"{firing.event}: normal, {level}"
        if came.failed:
            yield _failed(firing, name, f"it fails: {came.message} [{came.sqlstate}]", "broken")
        elif broken:
            yield _failed(firing, name, "; ".join(str(one) for one in broken), "invariant")
        elif strange:
            yield _failed(firing, name, "; ".join(strange), "foreign row")
        else:
            yield Tried(firing.trigger, name, "passed", f"as {firing.identity.name}", (firing.sql,))


def _failed(firing: Firing, name: str, says: str, found: str) -> Tried:
    return Tried(firing.trigger, name, "failed", says, (firing.sql,), found)


def _founded(bench: Bench, written: tuple[ObjectId, ...]) -> Iterator[str]:
    """The tenants and users that this transaction made: what it writes for them belongs to them. A row that it changed was there before, and is
    somebody's already."""
    tenancy = bench.material.world.tenancy
    for id in written:
        owned = tenancy.tables.get(id)
        if owned is not None and owned.owner and id in (tenancy.root, tenancy.users):
            rows = bench.connection.execute(
                f"select ({owned.owner})::text from {ident(id.schema, id.name)} as x where {_MADE_NOW} order by 1".encode()
            ).fetchall()
            yield from (owner for (owner,) in rows if owner is not None)


def _strangers(bench: Bench, written: tuple[ObjectId, ...]) -> Iterator[str]:
    """Rows of this transaction that are not tenant A's, nor nobody's by design."""
    world = bench.material.world
    ours = {world.keys["A"], *world.users["A"]}
    theirs = {world.keys["B"], *world.users["B"]} - ours
    ours |= {*_founded(bench, written)} - theirs
    for id in written:
        owned = world.tenancy.tables.get(id)
        if owned is None or not owned.owner or owned.ownership in ("global", "unknown"):
            continue
        try:
            with bench.connection.transaction():
                rows = bench.connection.execute(
                    f"select distinct ({owned.owner})::text from {ident(id.schema, id.name)} as x where {_MADE_NOW} order by 1".encode()
                ).fetchall()
        except psycopg.Error:
            continue  # an expression that cannot be asked says nothing of whose the rows are
        for (owner,) in rows:
            if owner in theirs:
                yield f"it writes a row of another tenant into {id}"
            elif owner is None or owner not in ours:
                yield f"it writes a row into {id} that belongs to {'nobody' if owner is None else owner}, not to the tenant that acted"
