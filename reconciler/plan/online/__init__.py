"""Changes to busy tables while others go on writing: the online form of a plan.

Pure functions over the statements of a plan, the two states between which it leads, and the sizes of the target's tables. What
would make others wait for as long as a table is large is prepared before the main transaction or finished behind it, and every
lock that blocks readers or writers is held for a moment only. Promises statements that psql runs, that can run twice, and that
end exactly where the plain ones end. Small and new tables keep the direct form, and so does what has no other: that says so.
Never decides what changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.catalog.kinds import Context
from reconciler.model import Hazard, HazardCode, Limits, ObjectId, Size, Snapshot, Statement
from reconciler.plan.faithful import faithful
from reconciler.plan.online import check, fill, index, key, new_column, not_null, partitioned_key
from reconciler.plan.online.course import Course, Placed, Rewrite, Stage
from reconciler.plan.online.together import takes_away, torn, waits
from reconciler.plan.online.writing import swept, unblocking
from reconciler.plan.quarantine.copies import copy_of
from reconciler.run.steps import normalised

REWRITES: tuple[Rewrite, ...] = (
    index.rewrite, key.rewrite, partitioned_key.rewrite, check.rewrite, fill.rewrite, new_column.rewrite, not_null.rewrite,
)  # fmt: skip
"""One function for each operation; the first that answers decides."""

_HOLD_ROWS = frozenset({"table", "materialized_view"})
_HINDERS = frozenset({HazardCode.BLOCKS_WRITES, HazardCode.SCANS_UNDER_LOCK, HazardCode.REWRITES_TABLE})


def rewritten(
    up: Sequence[Statement],
    down: Sequence[Statement],
    before: Snapshot,
    after: Snapshot,
    *,
    sizes: Mapping[ObjectId, Size],
    limits: Limits,
    applier: str = "",
    fills: Mapping[ObjectId, str] | None = None,
    downs: Mapping[ObjectId, str] | None = None,
    renames: tuple[Collection[str], Collection[str]] = ((), ()),
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Both directions in online form.

    `before` and `after` are the states between which UP leads; `sizes` are by the names of both. `renames` are the texts of the
    statements that come before everything of UP and behind everything of DOWN.
    """
    there = Course(up, before, after, sizes, limits, Context(before, after, applier, fills or {}))
    back = Course(down, after, before, sizes, limits, Context(after, before, applier, downs or {}))
    if not any(
        course.busy(table)
        for course in (there, back)
        for table in course.before.facts
        if table.kind in _HOLD_ROWS
    ):
        return tuple(up), tuple(down)
    first, last = renames
    return _written(there, back, first, last)


def _written(
    there: Course, back: Course, first: Collection[str], last: Collection[str]
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    up, down = _placed(there), _placed(back)
    return (
        _assembled(up, swept(back.remains), first, ()),
        _assembled(down, swept(there.remains), first, last),
    )


def _placed(course: Course) -> list[tuple[Statement, Placed]]:
    """Where each statement goes. Where that would leave a moment without a policy or a trigger, everything stays as it was."""
    found: list[tuple[Statement, Placed]] = []
    waiting = False
    for statement in course.statements:
        if course.filled and not waiting and takes_away(statement):
            waiting = True
            found = _with_its_copy(found, statement, course)
        placed = _of(statement, course)
        found.append((statement, _after_all(placed) if waiting else placed))
    if torn(course.statements, _sequence(found)):
        course.remains.clear()
        return [(statement, Placed(main=(_told(statement, course),))) for statement in course.statements]
    eased = {statement.subject for statement, placed in found if placed.before or placed.late}
    return [
        (
            statement,
            replace(placed, main=tuple(_eased(one) if one.subject in eased else one for one in placed.main)),
        )
        for statement, placed in found
    ]


def _after_all(placed: Placed) -> Placed:
    return Placed(placed.before, (), (*(Stage(s) for s in placed.main), *placed.late))


def _with_its_copy(
    found: list[tuple[Statement, Placed]], statement: Statement, course: Course
) -> list[tuple[Statement, Placed]]:
    """What is copied out of a table directly before something of it goes, goes along: nothing may be written between."""
    id = statement.subject
    table = course.table(id) if id is not None and id.part else id
    at = len(found)
    while at and _copies(found[at - 1][0], table, id):
        at -= 1
    return [*found[:at], *((s, _after_all(placed)) for s, placed in found[at:])]


def _copies(statement: Statement, *ids: ObjectId | None) -> bool:
    about = statement.subject is not None and statement.subject in ids
    return copy_of(statement) is not None or (about and "reconciler_quarantine" in statement.sql)


def _eased(statement: Statement) -> Statement:
    """Nobody waits for this object any more, whatever a statement about it said."""
    return replace(statement, hazards=unblocking(statement.hazards))


def _of(statement: Statement, course: Course) -> Placed:
    for rewrite in REWRITES:
        placed = rewrite(statement, course)
        if placed is not None:
            return placed
    told = _eased(statement) if index.of_partitions(statement) else _told(statement, course)
    if waits(statement, course):
        if statement.subject is not None:
            course.late.add(statement.subject)
        return Placed(late=(Stage(told),))
    return Placed(main=(told,))


def _told(statement: Statement, course: Course) -> Statement:
    """With the number of rows in the hazards of what others will have to wait for."""
    id = statement.subject
    table = course.table(id) if id is not None and id.kind != "table" else id
    if table is None or not any(h.code in _HINDERS for h in statement.hazards) or not course.busy(table):
        return statement
    rows = f" It has about {course.rows(table):,} rows, and this has no online form."
    hazards = tuple(
        Hazard(h.code, h.consequence + rows) if h.code in _HINDERS else h for h in statement.hazards
    )
    return replace(statement, hazards=hazards)


def _sequence(placed: Sequence[tuple[Statement, Placed]]) -> tuple[Statement, ...]:
    """Before everything, the main transaction, behind everything."""
    before = _staged(stage for _, one in placed for stage in one.before)
    main = [statement for _, one in placed for statement in one.main]
    late = _staged(stage for _, one in placed for stage in one.late)
    if before and main:
        main[0] = replace(main[0], apart=True)
    if late and (before or main):
        late[0] = replace(late[0], apart=True)
    return normalised((*before, *main, *late))


def _staged(stages: Iterable[Stage]) -> list[Statement]:
    """The statements; one that takes long has a transaction to itself."""
    found: list[Statement] = []
    alone = False
    for stage in stages:
        apart = stage.statement.apart or stage.alone or alone
        found.append(replace(stage.statement, apart=apart and stage.statement.transactional))
        alone = stage.alone
    return found


def _assembled(
    placed: Sequence[tuple[Statement, Placed]],
    sweep: Statement | None,
    first: Collection[str],
    last: Collection[str],
) -> tuple[Statement, ...]:
    """The whole direction: renames stay at its ends, and what an interrupted run left goes before anything is built."""
    begin = max((n + 1 for n, (s, _) in enumerate(placed) if s.sql in first), default=0)
    end = min((n for n, (s, _) in enumerate(placed) if s.sql in last and n >= begin), default=len(placed))
    lead = [statement for _, one in placed[:begin] for statement in one.main]
    body: Sequence[Statement] = _sequence(placed[begin:end])
    tail = [statement for _, one in placed[end:] for statement in one.main]
    if sweep is not None and body:
        body = (sweep, *body) if body[0].transactional and not _splits(body) else (sweep, *_begun(body))
    elif sweep is not None:
        lead.append(sweep)
    if _splits(body) and lead and body:
        body = _begun(body)
    if _splits(body) and tail:
        tail = _begun(tail)
    return normalised(faithful(statement) for statement in (*lead, *body, *tail))


def _splits(statements: Sequence[Statement]) -> bool:
    """Whether these are more than one transaction."""
    return any(s.apart or not s.transactional for s in statements)


def _begun(statements: Sequence[Statement]) -> list[Statement]:
    return [replace(s, apart=s.transactional) if n == 0 else s for n, s in enumerate(statements)]
