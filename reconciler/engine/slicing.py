"""Two small scratch databases instead of two copies of everything: where a plan over a large database is made and rehearsed.

Holds the changed objects and their closure, written by the kinds' own planner and accepted only when what was built is exactly
that part of the two states. Promises that a plan made here also stands for the whole, or raises Unsliceable with the reason: then
the caller takes the long way. Loads no declarations and copies nothing from the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare, residue
from reconciler.catalog.kinds import Context, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.errors import ReconcilerError
from reconciler.model import Plan, Rehearsal, Snapshot
from reconciler.pg import Url, connect
from reconciler.plan.build import Bench, build
from reconciler.plan.closure import closure, sliceable
from reconciler.plan.complete import complete
from reconciler.shadow import trial
from reconciler.shadow.rehearse import Expected
from reconciler.shadow.scratch import Shadow

LARGE = 10_000
"""Above this many objects (about 500 tables with their columns, keys and policies) a slice is tried first. Below, copying
everything costs less than thinking about it."""


MOST = 0.5
"""A slice with more than this share of all objects is none."""


class Unsliceable(Exception):
    """No slice stands for the whole here. The message says why."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The two scratch databases, nobody connected, and what is in them."""

    before: Url
    after: Url
    states: Expected


def worthwhile(before: Snapshot, after: Snapshot) -> bool:
    """Whether these states are so large that a part of them is much less work."""
    return max(len(before.digests), len(after.digests)) > LARGE


def planned(
    shadow: Shadow,
    before: Snapshot,
    after: Snapshot,
    *,
    read_as: Scope,
    scope: Scope,
    bench: Callable[[Slice], Bench],
    ends: tuple[str, str],
    owners: tuple[str, str] = ("", ""),
    texts: Iterable[str] = (),
    prove: bool = True,
    use_migra: bool = True,
) -> tuple[Plan, Rehearsal]:
    """The plan and its rehearsal, made on a slice of the two states, which were read with the scope `read_as`.

    `scope` is the part of them that is compared, `ends` are the fingerprints of that part; `owners` own the two databases, `texts` are expressions that the plan
    will run. Raises Unsliceable.
    """
    part = _slice(shadow, before, after, read_as, scope, owners, texts)
    try:
        plan, rehearsal = build(bench(part), prove=prove, use_migra=use_migra)
    except ReconcilerError as reason:
        raise Unsliceable(str(reason.what)) from reason
    finally:
        shadow.drop(part.before)
        shadow.drop(part.after)
    if prove and not rehearsal.passed:
        raise Unsliceable(f"there the rehearsal failed: {'; '.join(rehearsal.residue[:1])}")
    return replace(plan, before=ends[0], after=ends[1]), replace(rehearsal, scope="slice")


def _slice(
    shadow: Shadow,
    before: Snapshot,
    after: Snapshot,
    read_as: Scope,
    scope: Scope,
    owners: tuple[str, str],
    texts: Iterable[str],
) -> Slice:
    with catalog.uncollected():
        changes = compare(before, after)
        if not sliceable(changes):
            raise Unsliceable("a change reaches objects that PostgreSQL does not record as dependent")
        kept = closure(before, after, changes, texts)
    if len(kept) > MOST * len({*before.digests, *after.digests}):
        raise Unsliceable("the changes reach most of the database")
    parts = [catalog.restricted(side, kept) for side in (before, after)]
    made: list[Url] = []
    try:
        for part, owner in zip(parts, owners, strict=True):
            made.append(shadow.create(owner=owner))
            _fill(made[-1], part, read_as, shadow)
    except BaseException:
        for database in made:
            shadow.drop(database)
        raise
    one, other = (catalog.within(part, scope) for part in parts)
    return Slice(made[0], made[1], Expected(one, other, scope))


def _fill(database: Url, part: Snapshot, scope: Scope, shadow: Shadow) -> None:
    """Writes the part into an empty database, and reads it back."""
    try:
        with connect(database) as connection:
            empty = catalog.read(connection, scope)
            trial.run(connection, complete(Context(empty, part, shadow.url.user)))
        with connect(database) as connection:
            wrong = residue(catalog.read(connection, scope), part)
    except (ReconcilerError, Unplannable) as reason:
        raise Unsliceable(f"it could not be built: {reason}") from reason
    if wrong:
        raise Unsliceable(f"it could not be built: {'; '.join(wrong[:2])}")
