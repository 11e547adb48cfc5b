"""Asks the rows of the live database a question, and changes nothing.

Each question has a time limit, reads in a transaction that may not write, and sees every row or says that it could not (row_security
is off). What was not answered is never taken for a good answer. Shows how many rows are in the way and the primary keys of a few: no
other column, and no key whose name says that it is a secret.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from reconciler.catalog.kinds.foreign_options import HIDDEN
from reconciler.model import ObjectId
from reconciler.pg import MASK, ident, literal
from reconciler.plan.doubts import Doubt, Gap
from reconciler.plan.doubts.doubt import KEY, PLACE

Connection = psycopg.Connection[Any]
SAMPLES = 5
_LONGEST = 40
_SECRET = re.compile(HIDDEN, re.IGNORECASE)
_VERB = re.compile(r"\{(\w+)\|(\w+)\}")
_DATA = ("22", "23")
"""Classes of errors that a value causes (manual: appendix A)."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows in the way. `at_least` says that the time was over before all were counted; `raises` that the condition could not be
    computed for them."""

    doubt: Doubt
    count: int
    samples: tuple[tuple[str, ...], ...] = ()
    at_least: bool = False
    raises: bool = False

    @property
    def loses(self) -> bool:
        """Whether these rows would only be changed."""
        return self.doubt.loses and not self.raises

    @property
    def sentence(self) -> str:
        more = "at least " if self.at_least else ""
        says = self.doubt.raises if self.raises else self.doubt.says
        several = self.count != 1
        told = says.replace("{rows}", f"{more}{self.count} {'rows' if several else 'row'}")
        told = _VERB.sub(lambda verb: verb[1] if several else verb[2], told)
        return f"{told}{self._sampled()}"

    def _sampled(self) -> str:
        if not self.samples:
            return ""
        names = self.doubt.keys
        shown = [
            [_shown(name, value) for name, value in zip(names, row, strict=True)] for row in self.samples
        ]
        left = names[0] if len(names) == 1 else f"({', '.join(names)})"
        values = ", ".join(row[0] if len(names) == 1 else f"({', '.join(row)})" for row in shown)
        return f" ({left} = {values}{', …' if self.count > len(self.samples) or self.at_least else ''})"


@dataclass(frozen=True, slots=True)
class Undecided:
    """What could not be found out, and why."""

    subject: ObjectId
    table: ObjectId | None
    why: str

    @property
    def sentence(self) -> str:
        where = f" against the rows of {self.table}" if self.table is not None else ""
        return f"not decided: {self.subject.kind.replace('_', ' ')} {self.subject}{where}: {self.why}"


def _shown(name: str, value: str) -> str:
    if _SECRET.search(name):
        return MASK
    return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"


def ask(
    live: Connection, question: Doubt | Gap, *, limit: float, lock_limit: str = "2s"
) -> Found | Undecided | None:
    """None when no row is in the way. `limit` is in seconds."""
    if isinstance(question, Gap):
        return Undecided(question.subject, None, question.why)
    if limit <= 0:
        return Undecided(question.subject, question.table, "the time for all questions together was over")
    deadline = time.monotonic() + limit
    try:
        if question.quick and _first(live, question.quick, deadline, lock_limit) is None:
            return None
        try:
            return _counted(live, question, deadline, lock_limit)
        except psycopg.Error as error:
            if not (question.byrow and question.raises and (error.sqlstate or "").startswith(_DATA)):
                raise
        return _searched(live, question, deadline, lock_limit)
    except psycopg.Error as error:
        return Undecided(question.subject, question.table, _why(error, question, limit, live))


def _counted(live: Connection, question: Doubt, deadline: float, lock_limit: str) -> Found | None:
    if not question.keys:
        any_row = f"select from {question.source} where {question.condition} limit 1"
        return None if _first(live, any_row, deadline, lock_limit) is None else Found(question, 1)
    rows = _all(
        live,
        f"select pg_catalog.count(*) over () as n, {ident(KEY)} as k from {question.source} where {question.condition}"
        f" order by {ident(PLACE)} limit {SAMPLES}",
        deadline, lock_limit,
    )  # fmt: skip
    if not rows:
        return None
    return Found(question, rows[0][0], tuple(tuple(map(str, row[1])) for row in rows))


def _searched(live: Connection, question: Doubt, deadline: float, lock_limit: str) -> Found | None:
    """The rows on which the condition cannot be computed, found by halving: a piece without such a row is read once."""
    todo = [(0, _pages(live, question, deadline, lock_limit))]
    count, samples = 0, list[tuple[str, ...]]()
    try:
        while todo:
            low, high = todo.pop()
            piece = f"{ident(PLACE)} >= '({low},0)'::tid and {ident(PLACE)} < '({high},0)'::tid"
            if _computes(live, question, piece, deadline, lock_limit):
                continue
            if high - low > 1:
                middle = (low + high) // 2
                todo += [(middle, high), (low, middle)]
                continue
            rows = f"select distinct {ident(PLACE)}::text from {question.source} where {piece} order by 1"
            for (place,) in _all(live, rows, deadline, lock_limit):
                there = f"{ident(PLACE)} = {literal(place)}::tid"
                if _computes(live, question, there, deadline, lock_limit):
                    continue
                count += 1
                if len(samples) < SAMPLES:
                    keyed = f"select {ident(KEY)} from {question.source} where {there} limit 1"
                    samples += [tuple(map(str, row[0])) for row in _all(live, keyed, deadline, lock_limit)]
    except psycopg.errors.QueryCanceled:
        if not count:
            raise
        return Found(question, count, tuple(samples), at_least=True, raises=True)
    return Found(question, count, tuple(samples), raises=True) if count else None


def _computes(live: Connection, question: Doubt, piece: str, deadline: float, lock_limit: str) -> bool:
    try:
        _first(
            live,
            f"select pg_catalog.count(*) filter (where {question.condition}) from {question.source} where {piece}",
            deadline,
            lock_limit,
        )
    except psycopg.Error as error:
        if (error.sqlstate or "").startswith(_DATA):
            return False
        raise
    return True


def _pages(live: Connection, question: Doubt, deadline: float, lock_limit: str) -> int:
    """How many pages the largest of the tables has that are read."""
    table = literal(ident(question.table.schema, question.table.name))
    row = _first(
        live,
        f"with recursive tree as (select {table}::pg_catalog.regclass::oid as oid union all select i.inhrelid from"
        " pg_catalog.pg_inherits as i join tree on i.inhparent = tree.oid) select pg_catalog.max(pg_catalog.pg_relation_size(oid))"
        " / pg_catalog.current_setting('block_size')::int8 from tree",
        deadline, lock_limit,
    )  # fmt: skip
    return int(row[0] or 0) + 1 if row else 1


def _first(live: Connection, sql: str, deadline: float, lock_limit: str) -> tuple[Any, ...] | None:
    with _reading(live, deadline, lock_limit):
        row: tuple[Any, ...] | None = live.execute(sql.encode(), prepare=False).fetchone()
    return row


def _all(live: Connection, sql: str, deadline: float, lock_limit: str) -> list[tuple[Any, ...]]:
    with _reading(live, deadline, lock_limit):
        return live.execute(sql.encode(), prepare=False).fetchall()


@contextmanager
def _reading(live: Connection, deadline: float, lock_limit: str) -> Iterator[None]:
    """A transaction that may not write, sees every row or fails, and ends in time."""
    left = max(1, int((deadline - time.monotonic()) * 1000))
    with live.transaction():
        live.execute("set transaction read only")
        live.execute(
            "select pg_catalog.set_config('statement_timeout', %s, true), pg_catalog.set_config('lock_timeout', %s, true),"
            " pg_catalog.set_config('row_security', 'off', true)",
            (f"{left}ms", lock_limit),
        )
        yield


def _why(error: psycopg.Error, question: Doubt, limit: float, live: Connection) -> str:
    state, message = error.sqlstate or "", error.diag.message_primary or str(error).splitlines()[0]
    if state == "57014" or isinstance(error, psycopg.errors.QueryCanceled):
        return f"it was not answered within {limit:.0f} s"
    if state == "42501" and "row-level security" in message:
        return f"row-level security hides rows of {question.table} from {ident(live.info.user)}: {message}"
    if state == "42501":
        grant = (
            f"grant select on {ident(question.table.schema, question.table.name)} to {ident(live.info.user)};"
        )
        return f"{message} (it may be asked after: {grant})"
    if state == "55P03":
        return "somebody holds the table locked"
    if state.startswith("42"):
        return f"it cannot be asked before the plan has run: {message}"
    if state == "25006":
        return "an expression in it would write"
    if state.startswith(("08", "57P")):
        raise error
    return message if not state.startswith(_DATA) else f"an expression in it fails on a row [{state}]"
