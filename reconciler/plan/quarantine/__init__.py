"""Drops that keep what they drop: the quarantine form of a plan.

Pure functions over statements and the two snapshots between which they lead. What is dropped moves to, or is copied into, the
schema `reconciler_quarantine`; what is created looks there first whether this very plan once put it there. Promises
statements that run with psql alone, that can run twice, and that end at the same two states as the plain ones. Never
decides what is dropped, and never destroys what is kept: that is `reconciler purge`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from reconciler.model import ObjectId, Snapshot, Statement
from reconciler.plan.quarantine import along, columns, keys, partitions, registry, retyped, tables, values
from reconciler.plan.quarantine.way import Rewrite, Way

REWRITES: tuple[Rewrite, ...] = (
    tables.kept,
    partitions.kept,
    along.sequences_kept,
    along.needed_kept,
    keys.kept,
    columns.kept,
    values.kept,
    retyped.beside,
)
"""One function for each class of things with rows; each sees what the ones before it left."""


def kept(
    up: Sequence[Statement],
    down: Sequence[Statement],
    before: Snapshot,
    after: Snapshot,
    *,
    applier: str = "",
    large: Collection[ObjectId] = (),
    fills: Mapping[ObjectId, str] = MappingProxyType({}),
    downs: Mapping[ObjectId, str] = MappingProxyType({}),
    renames: Collection[str] = (),
    rewrites: Sequence[Rewrite] = REWRITES,
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Both directions in quarantine form.

    `before` and `after` are the states between which UP leads, `large` the tables that must not be read under a lock; `fills` and
    `downs` the declared values, by column, for rows that exist already; `renames` the texts of the statements that rename, which stand
    at the ends of both directions. Raises Stalled when something can neither move nor be
    copied.
    """
    ends = (before.fingerprint, after.fingerprint)
    there = Way(
        before, after, ends, True, applier, frozenset(large), fills=fills, undo=downs, renames=frozenset(renames)
    )  # fmt: skip
    back = replace(there, before=after, after=before, forward=False, fills=downs, undo=fills)
    return _rewritten(up, there, rewrites), _rewritten(down, back, rewrites)


def _rewritten(
    statements: Sequence[Statement], way: Way, rewrites: Sequence[Rewrite]
) -> tuple[Statement, ...]:
    found = tuple(statements)
    for rewrite in rewrites:
        found = rewrite(found, way)
    return (*registry.prelude(found), *found)


__all__ = ["REWRITES", "Rewrite", "Way", "kept"]
