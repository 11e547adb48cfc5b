"""The lines around the statements of a migration file: transactions and timeouts, and how they are read back.

Knows which statements are frame and which are content. Promises that what psql would do with the file and
what the parsed statements say is the same, also after a person changed a timeout or moved a `commit`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.errors import Source, Usage
from reconciler.migrate.remarks import Remarks
from reconciler.model import Statement
from reconciler.run import is_transactional, may_stand_inside, waits_without_blocking
from reconciler.run.nature import head

LOCK_TIMEOUT = "2s"
STATEMENT_TIMEOUT = "20min"
"""What stands in a file unless its header says otherwise."""

PREAMBLE = ("\\set ON_ERROR_STOP on", "set client_encoding = 'UTF8';")
"""Stops psql at the first error, and says how the file is encoded."""

_BEGIN = re.compile(r"(begin|start\s+transaction)(\s+(work|transaction))?\Z", re.IGNORECASE)
_COMMIT = re.compile(r"(commit|end)(\s+(work|transaction))?\Z", re.IGNORECASE)
_CONTROL = re.compile(
    r"(begin|start\s+transaction|commit|end|abort|prepare\s+transaction)\b|rollback\b(?!.*\bto\b)",
    re.IGNORECASE | re.DOTALL,
)
_SET = re.compile(
    r"set\s+(?:local\s+|session\s+)?(?P<name>lock_timeout|statement_timeout)\s*(?:=|\sto\s)\s*"
    r"(?:'(?P<text>[^']*)'|(?P<bare>[a-z0-9]+))\Z",
    re.IGNORECASE,
)
_RESET = re.compile(r"reset\s+(?P<name>lock_timeout|statement_timeout)\Z", re.IGNORECASE)
_ENCODING = re.compile(r"set\s+client_encoding\s*(=|\sto\s)\s*'?utf-?8'?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The migration's own: what a statement without any of its own runs under."""

    lock: str = LOCK_TIMEOUT
    statement: str = STATEMENT_TIMEOUT

    def lock_for(self, sql: str, *, transactional: bool) -> str:
        """A concurrent index command waits as long as it needs, as `reconciler.run` lets it."""
        return "0" if not transactional and waits_without_blocking(sql) else self.lock


def settings(lock: str, statement: str, *, local: bool) -> list[str]:
    """The two lines that set the timeouts."""
    scope = "set local" if local else "set"
    return [
        f"{scope} lock_timeout = '{_plain(lock)}';",
        f"{scope} statement_timeout = '{_plain(statement)}';",
    ]


class Frame:
    """Reads the frame of one section from top to bottom."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._own = timeouts
        self._open: Source | None = None
        self._begun = False
        self._after_transactional = False
        self._session: dict[str, str] = {}
        self._local: dict[str, str] = {}

    def takes(self, sql: str, source: Source) -> bool:
        """Whether this statement is frame. Raises `Usage` for a frame that does not close as it opened."""
        bare = head(sql)
        if _BEGIN.match(bare):
            if self._open is not None:
                raise Usage(f"begin inside the transaction that began at {self._open}", sources=(source,))
            self._open = source
            self._begun = True
            return True
        if _COMMIT.match(bare):
            if self._open is None:
                raise Usage("commit without begin", sources=(source,))
            self._open, self._begun = None, False
            self._local.clear()
            return True
        if _CONTROL.match(bare):
            raise Usage(
                "the transactions of a migration are begin; … commit; without any additions",
                hint="after an error everything is rolled back by itself; leave isolation levels to the server",
                sources=(source,),
            )
        if found := _SET.match(bare):
            value = found["bare"] if found["text"] is None else found["text"]
            (self._session if self._open is None else self._local)[found["name"].lower()] = value
            return True
        if found := _RESET.match(bare):
            self._session.pop(found["name"].lower(), None)
            return True
        return bool(_ENCODING.match(bare))

    def statement(self, sql: str, said: Remarks, source: Source) -> Statement:
        """The statement that stands here: apart from those before it where a `begin` stands between."""
        able = is_transactional(sql)
        if self._open is not None and not may_stand_inside(sql):
            raise Usage(
                "PostgreSQL refuses this statement inside begin … commit",
                hint="put commit before it and begin behind it",
                sources=(source,),
            )
        transactional = self._open is not None or (able and not said.written)
        apart = self._begun and transactional and self._after_transactional
        self._begun, self._after_transactional = False, transactional
        lock = self._timeout("lock_timeout", self._own.lock_for(sql, transactional=transactional))
        return Statement(
            sql,
            said.reason,
            said.source,
            transactional,
            lock
            if lock
            else self._meant(said.lock_timeout, self._own.lock_for(sql, transactional=transactional)),
            said.hazards,
            said.subject,
            self._timeout("statement_timeout", self._own.statement)
            or self._meant(said.statement_timeout, self._own.statement),
            apart,
        )

    def close(self) -> None:
        """The section ends here."""
        if self._open is not None:
            raise Usage("this begin has no commit", sources=(self._open,))

    def _timeout(self, name: str, usual: str) -> str:
        """What is set here where it differs from the usual, else empty."""
        current = {**self._session, **self._local}.get(name, usual)
        return "" if current == usual else current

    def _meant(self, said: str, usual: str) -> str:
        """A statement may insist on what is also the usual: then only the comment says so."""
        return said if said == usual else ""


def _plain(value: str) -> str:
    if not re.fullmatch(r"[0-9.]+ ?(us|ms|s|min|h|d)?", value):
        raise Usage(
            f"“{value}” is not a duration that PostgreSQL reads", hint="write it like 500ms, 2s or 20min"
        )
    return value
