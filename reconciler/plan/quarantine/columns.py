"""Columns that go keep their values, columns that come get theirs back.

Before the first statement that drops a column of a table the values of all that go are copied in one piece; before the one that adds
them the copy is looked for. The plain statements stay as they are and find done what is done. What is said of rows that nothing
fills when the migration is undone stands on the statement that drops the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from reconciler.catalog.kinds.partition import tree
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.plan.quarantine import direct, gradual
from reconciler.plan.quarantine.loss import Loss, dropped_columns, regained_columns
from reconciler.plan.quarantine.way import Way

_DROPS = re.compile(r"\bdrop column\b", re.IGNORECASE)
_ADDS = re.compile(r"\badd column\b", re.IGNORECASE)


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements, with the values of every column that goes kept, and of every one that comes brought back if they were."""
    found = list(statements)
    first: list[Stages] = []
    for loss in dropped_columns(way):
        found = _kept(found, loss, way, first)
    for loss in regained_columns(way):
        found = _brought_back(found, loss, way, first)
    return way.ahead(found, _staged(first))


@dataclass(frozen=True, slots=True)
class Stages:
    """What comes before the main transaction for one table that is large, stage by stage."""

    steps: tuple[Statement, ...]


def _staged(first: list[Stages]) -> Iterator[Statement]:
    """The first steps of all tables, then the second ones …: a table's last step may speak of its children."""
    for step in zip_longest(*(stages.steps for stages in first)):
        yield from (statement for statement in step if statement is not None)


def _kept(statements: list[Statement], loss: Loss, way: Way, first: list[Stages]) -> list[Statement]:
    ids = {column.id for column in loss.columns}
    drops = [n for n, s in enumerate(statements) if s.subject in ids and _DROPS.search(s.sql)]
    at = drops[0] if drops else way.begin(statements)
    told = [_told(s, loss, way) if n in drops else s for n, s in enumerate(statements)]
    what = f"{loss.table}: the values of {_listed(loss.columns)}"
    if is_large(loss, way) and gradual.possible(loss):
        first.append(
            Stages(
                (
                    say(
                        loss,
                        gradual.begun(loss),
                        f"{what} will be kept, {loss.key}; what is written meanwhile is noted",
                    ),
                    long(loss, gradual.copied(loss), f"{what} are kept while others write"),
                )
            )
        )
        keep = say(loss, gradual.closed(loss), f"{what} are kept, also those written last")
    else:
        keep = replace(
            say(loss, direct.kept(loss), f"{what} are kept, {loss.key}"), hazards=_blocking(loss, way)
        )
    return [*told[:at], keep, *told[at:]]


def is_large(loss: Loss, way: Way) -> bool:
    family = tree(way.before, loss.table) | tree(way.after, loss.table)
    return any(way.is_large(table) for table in family)


def _blocking(loss: Loss, way: Way) -> tuple[Hazard, ...]:
    """What is said where a large table has to be copied at once after all."""
    if not is_large(loss, way):
        return ()
    why = "it has no key" if loss.key.by_content else "not every value can be filled in later"
    said = (
        f"Nobody reads or writes {loss.table} while the values of {_listed(loss.columns)} are copied: {why}."
    )
    return (Hazard(HazardCode.BLOCKS_WRITES, said),)


def say(loss: Loss, sql: str, reason: str) -> Statement:
    """Without a subject: it makes and drops tables of ours, and nothing that the plan is about."""
    return Statement(sql, reason)


def long(loss: Loss, sql: str, reason: str) -> Statement:
    goes_on = Hazard(
        HazardCode.NOT_TRANSACTIONAL,
        f"The rows of {loss.table} are read batch by batch: an interrupted run goes on.",
    )
    return Statement(
        sql,
        reason,
        transactional=False,
        hazards=(goes_on,),
        statement_timeout="0",
    )


def _told(statement: Statement, loss: Loss, way: Way) -> Statement:
    """The drop with what it means now."""
    column = next(c for c in loss.columns if c.id == statement.subject)
    where = f"they are kept in {loss.copy}, rows known {loss.key}, until reconciler purge destroys them"
    hazards = [
        Hazard(h.code, f"The values of column {column.id} are out of reach: {where}.")
        if h.code is HazardCode.DELETES_DATA
        else h
        for h in statement.hazards
    ]
    if way.forward and _nothing_fills(column, way):
        hazards.append(
            Hazard(
                HazardCode.DEPENDS_ON_DATA,
                f"DOWN fails once rows have been written to {column.id.schema}.{column.id.name} after this: {column.id.part} is NOT"
                " NULL and nothing says what they get; say it above the create table: -- reconciler: column"
                f" {column.id.part} down EXPRESSION.",
            )
        )
    return replace(statement, hazards=tuple(hazards))


def _nothing_fills(column: Fact, way: Way) -> bool:
    needs = direct.needs_a_value(column) or column.id in _full(way, [column], before=True)
    return needs and column.id not in way.undo and _default(column, way, before=True) is None


def _brought_back(statements: list[Statement], loss: Loss, way: Way, ahead: list[Stages]) -> list[Statement]:
    ids = {column.id for column in loss.columns}
    adds = [n for n, s in enumerate(statements) if s.subject in ids and _ADDS.search(s.sql)]
    defaults = {c.id.part: d for c in loss.columns if (d := _default(c, way)) is not None}
    fills = {c.id.part: way.fills[c.id] for c in loss.columns if c.id in way.fills}
    full, counters = _full(way, loss.columns), _counters(loss, way)
    what = f"{loss.table}: the values of {_listed(loss.columns)}"
    steps: list[Statement] = []
    if not way.forward and is_large(loss, way) and gradual.possible(loss):
        ahead.append(
            Stages((say(loss, gradual.abandoned(loss), f"{what}: what an interrupted run may have begun"),))
        )
    if adds and not way.forward and _fills_gradually(loss, way):
        # Not on the way up: to go up once more is rare, and every plan that adds a column would be several transactions for its sake.
        early = [
            say(
                loss, gradual.added(loss, defaults, counters), f"{what} will come back, where they were kept"
            ),
            long(
                loss,
                gradual.filled(loss, {**defaults, **fills}),
                f"{what}, where they were kept, while others write",
            ),
        ]
        if gradual.needs_promise(loss):
            seen = say(loss, gradual.looked_through(loss), f"{what}: every row is seen to have one")
            early += [
                say(loss, gradual.promised(loss), f"{what}: from now on every row has one"),
                replace(seen, transactional=False),
            ]
        closing = say(loss, gradual.demanded(loss), f"{what} are back")
        if _ready(loss, way):
            ahead[-1] = Stages((*ahead[-1].steps, *early))
        else:
            steps = early
    else:
        back = say(
            loss,
            direct.given_back(loss, defaults, fills, full, counters, made=not adds),
            f"{what}, where they were kept",
        )
        steps = [replace(back, hazards=() if way.forward else _blocking(loss, way))]
        closing = say(loss, direct.dressed(loss, defaults), f"{what} are back")
    if not adds:
        end = way.end(statements)
        return [*statements[:end], *steps, closing, *statements[end:]]
    first, last = adds[0], adds[-1]
    later: list[Statement] = []
    sooner: list[Statement] = []
    waiting = set(ids)
    for statement in statements[first:last]:
        # What was made of the first of these columns waits until the last one can be made.
        needs = way.after.edges.get(statement.subject, frozenset()) if statement.subject else frozenset()
        if statement.subject in waiting or needs & waiting:
            later.append(statement)
            waiting |= {statement.subject} if statement.subject else set()
        else:
            sooner.append(statement)
    end = last + 1
    while end < len(statements) and statements[end].subject in ids:
        end += 1
    plain = [_only_in_new(s, loss, way) for s in (*later, *statements[last:end])]
    if any(new is not old for new, old in zip(plain, (*later, *statements[last:end]), strict=True)):
        steps.append(
            say(loss, direct.seen_whether_new(loss), f"{loss.table}: whether {_listed(loss.columns)} are new")
        )
    return [*statements[:first], *sooner, *steps, *plain, closing, *statements[end:]]


def _counters(loss: Loss, way: Way) -> dict[str, ObjectId]:
    """The sequences that go with these columns."""
    found = {}
    for owned in way.after.by_kind.get("owned_by", ()):
        if (owned["schema"], owned["table"]) == (loss.table.schema, loss.table.name):
            sequence = ObjectId("sequence", owned.id.schema, owned.id.name)
            if owned["column"] in {c.id.part for c in loss.columns} and way.new(sequence):
                found[str(owned["column"])] = sequence
    return found


def _fills_gradually(loss: Loss, way: Way) -> bool:
    numbered = any(column["identity"] for column in loss.columns)
    able = gradual.possible(loss) and not numbered and not loss.computed and not _full(way, loss.columns)
    return able and is_large(loss, way)


def _only_in_new(statement: Statement, loss: Loss, way: Way) -> Statement:
    """A declared value is for rows that had none when the column came; a NULL that was given back is a value of its own."""
    number = next((n for n, c in enumerate(loss.columns) if c.id == statement.subject), None)
    if number is None or loss.columns[number]["not_null"] or not statement.sql.startswith("update "):
        return statement
    if way.forward and is_large(loss, way):
        return statement
    return replace(statement, sql=direct.only_when_new(loss, number, statement.sql))


def _ready(loss: Loss, way: Way) -> bool:
    """Whether everything the columns need is there from the beginning."""
    needs: set[ObjectId] = set()
    for column in loss.columns:
        for id in (column.id, ObjectId("default", *column.id[1:])):
            needs |= way.after.edges.get(id, frozenset())
    needs -= {column.id for column in loss.columns}
    return all(
        way.before.digests.get(need) == way.after.digests.get(need) for need in needs if need != loss.table
    )


def _default(column: Fact, way: Way, *, before: bool = False) -> str | None:
    side = way.before if before else way.after
    for part in side.children.get(column.id, ()):
        if part.id.kind == "default":
            return str(part["expression"])
    return None


def _full(way: Way, columns: Iterable[Fact], *, before: bool = False) -> frozenset[ObjectId]:
    """The columns whose type is a domain that has to have a value and gives none by itself."""
    side = way.before if before else way.after
    found = set()
    for column in columns:
        for need in side.edges.get(column.id, frozenset()):
            domain = side.facts.get(need)
            if (
                need.kind == "domain"
                and domain is not None
                and domain["not_null"]
                and domain["default"] is None
            ):
                found.add(column.id)
    return frozenset(c for c in found if not str(side.facts[c]["type"]).endswith("[]"))


def _listed(columns: Iterable[Fact]) -> str:
    return ", ".join(column.id.part for column in columns)
