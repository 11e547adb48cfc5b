"""What a declaration is, once read: SQL statements with their places, and what SQL has no words for.

Promises: immutable values, no I/O. Never parses anything; `read` and `split` make these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.errors import Source
from reconciler.model import ObjectId

if TYPE_CHECKING:
    from reconciler.declare.scenario import Scenario

OnError = Literal["raise", "queue", "log"]


@dataclass(frozen=True, slots=True)
class DeclaredStatement:
    """One SQL statement and where it was written.

    `sql` starts at its first keyword and has no trailing semicolon. `comments` is the text of the comments directly
    before it. `lines` holds, for SQL rendered from YAML, the file's line of each line of `sql`; it is empty for
    SQL files, where line n of `sql` is simply `source.line + n`. `data` is the block that follows `copy … from
    stdin`, without its end mark, and None for everything else.
    """

    sql: str
    source: Source
    comments: str = ""
    lines: tuple[int, ...] = ()
    data: str | None = None

    def at(self, offset: int) -> Source:
        """The place of the character at `offset` (counted from 0) of `sql`; beyond the end means the last line."""
        below = self.sql.count("\n", 0, max(offset, 0))
        if self.lines:
            return Source(self.source.file, self.lines[min(below, len(self.lines) - 1)])
        return Source(self.source.file, self.source.line + below)


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """One file: its statements run in the order written; files among themselves have no order."""

    path: str
    statements: tuple[DeclaredStatement, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """`old` was renamed to `new`. For a column both ids carry the table's *new* name: tables are renamed first."""

    kind: str
    old: ObjectId
    new: ObjectId
    source: Source


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something a trigger protects: `query` must return no row."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Budget:
    """By which share a trigger may make a statement slower that writes one row, or many; None: as the bench takes for granted."""

    single: float | None = None
    bulk: float | None = None


@dataclass(frozen=True, slots=True)
class TriggerDesign:
    """The author's answers about one trigger.

    Which invariants it protects, what happens when it fails, how it behaves when it runs beside itself, and how it
    meets row-level security. Empty strings are unanswered questions.
    """

    trigger: ObjectId
    invariants: tuple[Invariant, ...]
    on_error: OnError | None
    concurrency: str
    tenancy: str
    source: Source
    budget: Budget = Budget()


@dataclass(frozen=True, slots=True)
class Declarations:
    """Everything a directory declares.

    `fills` and `downs` map a column to the SQL expression that fills it for existing rows on the way up, and that
    restores it on the way down; `fills` also maps a removed value of an enum to the one that rows get instead. `digest` depends on the content alone, not on file names, order or times.
    `scenarios` declare nothing: they are tried by `test`. `places` says where an object was declared, as far as that can be seen without asking PostgreSQL.
    """

    files: tuple[DeclaredFile, ...]
    renames: tuple[Rename, ...] = ()
    fills: Mapping[ObjectId, str] = field(default_factory=dict)
    downs: Mapping[ObjectId, str] = field(default_factory=dict)
    designs: tuple[TriggerDesign, ...] = ()
    digest: str = ""
    places: Mapping[ObjectId, Source] = field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
