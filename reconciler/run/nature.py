"""What can be told from a statement's text alone: may it run in a transaction, does it build an index
concurrently.

Knows the forms that PostgreSQL 14 to 18 refuse inside a transaction block (the manual's reference page of
each command says so under "Notes"). Looks only at a statement's head: never a parser, never executes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*\*/")
_NAME = r'(?:"(?:[^"]|"")+"|[^\s"().,;]+)'

_ALONE = re.compile(
    r"""create\s+(unique\s+)?index\s+concurrently\b
      | drop\s+index\s+concurrently\b
      | reindex\s+(\([^)]*\)\s*)?(index|table|schema|database|system)\s+concurrently\b
      | reindex\s+\([^)]*\bconcurrently\b
      | reindex\s+(\([^)]*\)\s*)?(schema|database|system)\b
      | vacuum\b
      | cluster\s*\Z
      | alter\s+table\s.*\bdetach\s+partition\s.*\bconcurrently\b
      | alter\s+type\s.*\badd\s+value\b
      | (create|drop)\s+(database|tablespace|subscription)\b
      | alter\s+subscription\s.*\brefresh\s+publication\b
      | alter\s+subscription\s.*\b(add|set|drop)\s+publication\b(?!.*\brefresh\s*=\s*'?(false|off|0)\b)
      | alter\s+system\b""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)

_BUILD = re.compile(
    rf"""create\s+(?:unique\s+)?index\s+concurrently\s+(?P<guard>if\s+not\s+exists\s+)?
         (?P<index>{_NAME})\s+on\s+(?:only\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)""",
    re.IGNORECASE | re.VERBOSE,
)

_DETACH = re.compile(
    rf"""alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)\s+
         detach\s+partition\s+(?P<partition>{_NAME}(?:\s*\.\s*{_NAME})?)\s+concurrently\b""",
    re.IGNORECASE | re.VERBOSE,
)

_ADDS_VALUE = re.compile(r"alter\s+type\s.*\badd\s+value\b", re.IGNORECASE | re.DOTALL)

_PATIENT = re.compile(
    r"create\s+(unique\s+)?index\s+concurrently\b|drop\s+index\s+concurrently\b|reindex\b.*\bconcurrently\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ConcurrentBuild:
    """CREATE INDEX CONCURRENTLY. `index` and `table` are written as in the statement, quotes included."""

    index: str
    table: str
    guarded: bool


@dataclass(frozen=True, slots=True)
class ConcurrentDetach:
    """DETACH PARTITION CONCURRENTLY. Names are written as in the statement, quotes included."""

    table: str
    partition: str


def head(sql: str) -> str:
    """The statement without the comments and white space before it."""
    at = 0
    while found := _COMMENT.match(sql, at):
        at = found.end()
    return sql[at:]


def is_transactional(sql: str) -> bool:
    """False for a statement that PostgreSQL refuses inside a transaction block, and for ALTER TYPE … ADD
    VALUE, whose value cannot be used before it is committed.
    """
    return _ALONE.match(head(sql)) is None


def may_stand_inside(sql: str) -> bool:
    """Whether a person may write the statement between begin and commit: a new enum value may stand there, as long as
    nothing in the same transaction uses it (manual: ALTER TYPE, Notes).
    """
    return is_transactional(sql) or _ADDS_VALUE.match(head(sql)) is not None


def concurrent_build(sql: str) -> ConcurrentBuild | None:
    """The index that this statement builds concurrently, when it does and names it."""
    found = _BUILD.match(head(sql))
    return (
        ConcurrentBuild(found["index"], found["table"], guarded=found["guard"] is not None) if found else None
    )


def concurrent_detach(sql: str) -> ConcurrentDetach | None:
    """What this statement takes off its partitioned table without locking that against readers and writers."""
    found = _DETACH.match(head(sql))
    return ConcurrentDetach(found["table"], found["partition"]) if found else None


def waits_without_blocking(sql: str) -> bool:
    """Whether this statement may wait for long without making readers or writers queue behind it.

    The concurrent index commands ask for SHARE UPDATE EXCLUSIVE, which no SELECT, INSERT, UPDATE or DELETE
    conflicts with, and then wait for old transactions to end (manual, CREATE INDEX, "Building Indexes
    Concurrently"). A short lock_timeout would only throw away a nearly finished index.
    """
    return _PATIENT.match(head(sql)) is not None
