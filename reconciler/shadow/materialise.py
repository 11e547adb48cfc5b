"""Declared files into an empty database, in whatever order PostgreSQL can take them.

A file is a sequence: it runs until a statement fails, pauses there, and the others go on. When nothing moves any
more, a statement that waits may be overtaken by later ones of its file; then bodies of functions that call each other
are accepted unread and checked at the end; then statements about a whole schema run. Promises that what is left
is reported completely, with lines. Never interprets an error's meaning beyond "not now" and "never".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.declare import DeclaredFile, DeclaredStatement
from reconciler.shadow import nature
from reconciler.shadow.nature import Setting
from reconciler.shadow.rejected import Failure, refusal
from reconciler.shadow.session import Connection, Session

_NEVER = frozenset(
    {"42601", "42P07", "42710", "42723", "42701", "42P06", "42712", "57014", "53100", "53200", "25001"}
)
"""SQLSTATEs that no other statement can cure: syntax, duplicates, time, space (manual, appendix A). Everything else may
be waiting for something: a relation (42P01), a function (42883), a type (42704), a column (42703), a schema (3F000), a
unique key (42830, 42P10, 42803), a cast (42846), a value of an enum (22P02), a row (23503), a grant (42501) …"""


@dataclass(slots=True)
class _Pending:
    statement: DeclaredStatement
    settings: tuple[Setting, ...]
    failure: Failure | None = None


@dataclass(slots=True)
class _File:
    path: str
    pending: list[_Pending] = field(default_factory=list)


def load(
    connection: Connection,
    files: Sequence[DeclaredFile],
    *,
    role: str | None = None,
    statement_timeout: str = "60s",
) -> None:
    """Runs every statement of `files` in the connection's database, which must be a scratch one.

    Without `role` everything runs as the connection's own user: that is how untrusted declarations are loaded, by an
    unprivileged login. With `role` the connection belongs to a superuser, statements run under `set role`, and those
    on the closed list that PostgreSQL refuses to `role` run while `role` is, unseen by others, a superuser: everything
    belongs to `role` in the end. That is for reviewed declarations only, because SQL inside a DO block could step out
    of a `set role`. `role` must own the database, and be used by one load at a time.

    An idle connection gets a transaction of its own, committed at the end and, on very large schemas, in between; an
    open transaction is only added to. Raises `Stalled` naming all statements that cannot run; the database is
    then of no further use. Raises `Waiting` when the server ends the session.
    """
    session = Session(connection, role, statement_timeout)
    try:
        session.begin()
        _Load(session, files, role).run()
        session.end()
    except BaseException:
        session.abandon()
        raise


class _Load:
    """The state of one load: what is still pending, what can never work, which bodies were not read."""

    def __init__(self, session: Session, files: Sequence[DeclaredFile], role: str | None) -> None:
        self.session = session
        self.role = role
        self.never: list[Failure] = []
        self.unread: list[_Pending] = []
        self.makers: dict[str, _File] = {}
        self.known: dict[Setting, bool] = {}
        self.first: dict[str, DeclaredStatement] = {}
        self.files = [self._pending(file) for file in sorted(files, key=lambda file: file.path)]

    def run(self) -> None:
        while any(file.pending for file in self.files):
            moved = [self._advance_with_needs(file) for file in self.files if file.pending]
            if any(moved):
                continue
            if not (self._overtake() or self._unread() or self._whole_schemas()):
                break
        waiting = [pending.failure for file in self.files for pending in file.pending if pending.failure]
        failures = [*self.never, *waiting, *self._never_reached(), *self._read_again()]
        if failures:
            ordered = sorted(failures, key=lambda failure: (failure.source.file, failure.source.line))
            raise refusal(ordered, self.role, self.first)

    def _pending(self, file: DeclaredFile) -> _File:
        """The file's statements, each with the settings that stand above it."""
        found = _File(file.path)
        settings: tuple[Setting, ...] = ()
        for statement in file.statements:
            setting = nature.setting(statement.sql)
            if setting is None:
                found.pending.append(_Pending(statement, settings))
                self.makers.setdefault(nature.made(statement.sql), found)
                self.first.setdefault(nature.made(statement.sql), statement)
            elif setting.name == "all":
                settings = ()
            elif setting.name == "role" and self.role is not None:
                why = "SET ROLE is refused: these declarations run as a role that they may not leave"
                self.never.append(Failure(statement, statement.source, "42501", why))
            elif setting.name:
                if setting not in self.known:
                    failure = self.session.check_setting(statement, setting)
                    self.never += [failure] if failure is not None else []
                    self.known[setting] = failure is None
                if self.known[setting] and setting not in settings[-1:]:
                    settings = (*settings, setting)
        return found

    def _attempt(self, pending: _Pending) -> bool:
        """True when the statement is dealt with: it ran, or it never will."""
        pending.failure = self.session.attempt(pending.statement, pending.settings)
        if pending.failure is not None and pending.failure.code in _NEVER:
            self.never.append(pending.failure)
            return True
        return pending.failure is None

    def _advance_with_needs(self, file: _File) -> bool:
        """Runs the file; where it waits, first the file that makes what is missing, and so on. True when one moved."""
        way, seen, moved = [file], {file.path}, False
        while way:
            moved = self._advance(way[-1]) or moved
            need = self._maker_of_what_misses(way[-1])
            if need is None or need.path in seen:
                way.pop()
            else:
                seen.add(need.path)
                way.append(need)
        return moved

    def _maker_of_what_misses(self, file: _File) -> _File | None:
        """A good guess, from the name in PostgreSQL's message; a wrong one costs a round, never the result."""
        failure = file.pending[0].failure if file.pending else None
        for word in re.findall(r"\w+", failure.message.lower()) if failure is not None else ():
            maker = self.makers.get(word)
            if maker is not None and maker is not file and maker.pending:
                return maker
        return None

    def _advance(self, file: _File) -> bool:
        """Runs the file until a statement must wait. True when it moved."""
        done = 0
        try:
            for pending in file.pending:
                if self._is_barrier(pending) or not self._attempt(pending):
                    break
                done += 1
                if not nature.changes_rows(pending.statement.sql):
                    self.session.pause()
        finally:
            del file.pending[:done]
        return done > 0

    def _is_barrier(self, pending: _Pending) -> bool:
        """A statement about all tables of a schema waits for the tables of all other files."""
        return len(self.files) > 1 and nature.of_a_whole_schema(pending.statement.sql)

    def _overtake(self) -> bool:
        """Lets statements behind a waiting one run, where their order cannot matter. True when one did."""
        moved = False
        for file in self.files:
            left: list[_Pending] = []
            for number, pending in enumerate(file.pending):
                if self._is_barrier(pending):
                    left += file.pending[number:]
                    break
                early = number == 0 or nature.may_run_early(pending.statement.sql)
                if not early or not self._attempt(pending):
                    left.append(pending)
            moved = moved or len(left) < len(file.pending)
            file.pending = left
        return moved

    def _unread(self) -> bool:
        """Creates one waiting function without reading its body: it may call another that calls it back."""
        off = Setting("check_function_bodies", "set local check_function_bodies to off")
        for file in self.files:
            for pending in file.pending:
                settings = (*pending.settings, off)
                if nature.routine(pending.statement.sql) and not self.session.attempt(
                    pending.statement, settings
                ):
                    self.unread.append(pending)
                    file.pending.remove(pending)
                    return True
                if self._is_barrier(pending):
                    break
        return False

    def _whole_schemas(self) -> bool:
        """Runs the first statement that waits for everything else. True when there was one."""
        for file in self.files:
            if file.pending and self._is_barrier(file.pending[0]) and self._attempt(file.pending[0]):
                del file.pending[0]
                return True
        return False

    def _never_reached(self) -> list[Failure]:
        """Syntax errors in statements that wait behind another: a person wants to see them all at once."""
        unreached = [pending for file in self.files for pending in file.pending if pending.failure is None]
        failures = [self.session.attempt(pending.statement, pending.settings) for pending in unreached]
        return [failure for failure in failures if failure is not None and failure.code == "42601"]

    def _read_again(self) -> list[Failure]:
        """What PostgreSQL says about the bodies that were accepted unread, now that everything exists."""
        failures = []
        for pending in self.unread:
            name = nature.routine(pending.statement.sql)
            failure = self.session.validated(pending.statement, pending.settings, name)
            if failure is not None:
                failures.append(failure)
        return failures
