"""Migration files: a migration as text that psql runs, and text as a migration.

Promises `parse(render(m)) == m`, that `psql -f` runs the UP and stops, and that the first error leaves
nothing of its transaction behind. Accepts what people write between the markers and refuses, with file and
line, what would mean one thing to psql and another here. Never touches a database or a disk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from reconciler.declare.lexer import Text
from reconciler.errors import Source, Stalled, Usage
from reconciler.migrate.frame import PREAMBLE, Frame, Timeouts, settings
from reconciler.migrate.header import header_lines, read_header, why_irreversible
from reconciler.migrate.items import Item, ends_in_comment, items
from reconciler.migrate.naming import version_and_slug
from reconciler.migrate.remarks import MARKER, escaped, remark, remarks, unescaped
from reconciler.model import Hazard, HazardCode, Migration, Statement
from reconciler.run import steps

Section = Literal["up", "down"]

_COMMANDS = re.compile(r"\\(set\s+ON_ERROR_STOP\s+(on|1|true)|(un)?restrict(\s.*)?)\Z", re.IGNORECASE)
_TIMEOUT_KEYS = ("lock_timeout", "statement_timeout")
_QUIT = re.compile(r"\\q(uit)?\Z")


def render(migration: Migration) -> str:
    """The file's text. Raises `Stalled` for a migration that no file can hold (say, an empty statement)."""
    try:
        text = _text(migration)
        if parse(text, migration.filename) == migration:
            return text
        reason = "a statement is empty, is several statements, or has white space or a semicolon at an end"
    except Usage as error:
        reason = error.what
    raise Stalled(
        f"migration {migration.version} cannot be written as a file: {reason}",
        hint="this is a mistake of the plan: please report it with the output of plan --format json",
    )


def render_section(migration: Migration, section: Section) -> str:
    """One direction as a script of its own, which psql runs as it is."""
    statements = migration.up if section == "up" else migration.down
    title = f"-- {section.upper()} of migration {migration.version} {migration.slug}"
    own = [f"-- {key}: {value}" for key, value in migration.header if key in _TIMEOUT_KEYS]
    return "\n".join([title, *own, *PREAMBLE, *_body(statements, timeouts_of(migration.header))])


def timeout_lines_of(section: str) -> list[str]:
    """The migration's own timeouts, as `render_section` wrote them above the statements."""
    above = section.split(PREAMBLE[0], 1)[0].splitlines()
    return [line for line in above if line.startswith(tuple(f"-- {key}: " for key in _TIMEOUT_KEYS))]


def parse(text: str, filename: str) -> Migration:
    """Reads a migration file; `filename` gives version and slug and stands in messages.

    Raises `Usage` with file and line: a section is missing or stands twice, the UP is not ended by `\\quit`,
    a statement or a transaction is not ended, or a command of psql has no meaning here.
    """
    version, slug = version_and_slug(filename)
    content = Text(_line_ends(text.removeprefix("\ufeff")), filename)
    top, up, down, none = _sections(content)
    before, after, header, checksum = read_header([item.text for item in top if item.kind == "comment"])
    timeouts = timeouts_of(header)
    migration = Migration(
        version,
        slug,
        _irreversible(_statements(content, up, timeouts), none),
        _statements(content, down, timeouts),
        before,
        after,
        header,
    )
    if not migration.up:
        raise Usage("there is no statement under “-- UP”", sources=(Source(filename, 1),))
    if checksum and checksum != migration.checksum and "edited" not in dict(header):
        edited = (
            *header,
            ("edited", "by hand after it was written: what was measured is about the original"),
        )
        return Migration(version, slug, migration.up, migration.down, before, after, edited)
    return migration


def _text(migration: Migration) -> str:
    timeouts = timeouts_of(migration.header)
    lines = [
        *header_lines(migration),
        "",
        *PREAMBLE,
        "",
        "-- UP",
        *_body(migration.up, timeouts),
        "\\quit",
        "",
    ]
    if migration.down:
        return "\n".join([*lines, "-- DOWN", *_body(migration.down, timeouts)])
    return "\n".join([*lines, f"-- DOWN none: {escaped(_reason(migration))}", ""])


def _body(statements: Sequence[Statement], timeouts: Timeouts) -> list[str]:
    lines = [""]
    for step in steps(statements):
        if step.transactional:
            lines += ["begin;", *together(step.statements, timeouts), "commit;", ""]
            continue
        for statement in step.statements:
            lock, limit = _own(statement, timeouts)
            lines += [*settings(lock, limit, local=False), *alone(statement)]
            lines += ["reset lock_timeout;", "reset statement_timeout;", ""]
    return lines


def together(statements: Sequence[Statement], timeouts: Timeouts) -> list[str]:
    """Statements for the inside of a transaction, each under its timeouts."""
    usual = settings(timeouts.lock, timeouts.statement, local=True)
    lines = [*usual, ""]
    for statement in statements:
        own = settings(*_own(statement, timeouts), local=True)
        changed = bool(statement.lock_timeout or statement.statement_timeout)
        lines += [*(own if changed else ()), *alone(statement), *(usual if changed else ()), ""]
    return lines


def alone(statement: Statement) -> list[str]:
    """One statement with the comment above it."""
    return [*remark(statement), statement.sql + ("\n;" if ends_in_comment(statement.sql) else ";")]


def _own(statement: Statement, timeouts: Timeouts) -> tuple[str, str]:
    usual = timeouts.lock_for(statement.sql, transactional=statement.transactional)
    return statement.lock_timeout or usual, statement.statement_timeout or timeouts.statement


def _sections(text: Text) -> tuple[list[Item], list[Item], list[Item], str]:
    """What stands above `-- UP`, under it and under `-- DOWN`, and the reason why there is no DOWN."""
    parts: dict[str, list[Item]] = {"top": [], "up": [], "quit": [], "down": []}
    place, none = "top", ""
    for item in items(text):
        source = text.source(item.start)
        marker = MARKER.match(item.text) if item.kind == "comment" else None
        if marker is not None:
            if (marker["section"], place) not in (("UP", "top"), ("DOWN", "quit"), ("DOWN", "up")):
                raise Usage(f"“{item.text}” stands at the wrong place or twice", sources=(source,))
            if marker["section"] == "DOWN":
                none = marker["reason"] or ""
                if place == "up" and not none:
                    raise Usage(
                        "a line with \\quit is missing above “-- DOWN”: psql would run the DOWN after the UP",
                        hint="write \\quit on a line of its own, or “-- DOWN none: REASON”",
                        sources=(source,),
                    )
            place = marker["section"].lower()
        elif item.kind == "command" and _QUIT.match(item.text) and place in ("up", "down"):
            place = "quit" if place == "up" else place
        elif item.kind == "command" and not _COMMANDS.match(item.text):
            raise Usage(
                f"{item.text.split()[0]} is a command of psql that has no meaning here",
                hint="allowed are \\set ON_ERROR_STOP on, \\quit and \\restrict",
                sources=(source,),
            )
        elif item.kind == "statement" and place == "quit":
            raise Usage("a statement between \\quit and “-- DOWN” never runs", sources=(source,))
        elif item.kind != "command":
            parts[place].append(item)
    _complete(text, parts, place, none)
    return parts["top"], parts["up"], parts["down"], none


def _complete(text: Text, parts: dict[str, list[Item]], place: str, none: str) -> None:
    end = (Source(text.file, text.line(len(text.text))),)
    if place == "top":
        raise Usage("there is no line “-- UP”", hint="write it above the first statement", sources=end)
    frame = Frame(Timeouts())
    for item in parts["top"]:
        if item.kind == "statement" and not frame.takes(item.text, text.source(item.start)):
            raise Usage("a statement above the line “-- UP”", sources=(text.source(item.start),))
    statements = [item for item in parts["down"] if item.kind == "statement"]
    if none and statements:
        raise Usage(
            "a statement under “-- DOWN none”: is there a DOWN or not?",
            sources=(text.source(statements[0].start),),
        )
    if not none and not statements:
        raise Usage(
            "there is no DOWN: every migration says how it is undone",
            hint="write its statements under a line “-- DOWN”; if it cannot be undone: -- DOWN none: REASON",
            sources=end,
        )


def _statements(text: Text, found: Sequence[Item], timeouts: Timeouts) -> tuple[Statement, ...]:
    frame = Frame(timeouts)
    statements: list[Statement] = []
    comments: list[str] = []
    for item in found:
        source = text.source(item.start)
        if item.kind == "comment":
            comments.append(item.text)
            continue
        if not frame.takes(item.text, source):
            statements.append(frame.statement(item.text, remarks(comments, source), source))
        comments = []
    frame.close()
    return tuple(statements)


def timeouts_of(header: Sequence[tuple[str, str]]) -> Timeouts:
    """The migration's own timeouts."""
    said = dict(header)
    usual = Timeouts()
    return Timeouts(said.get("lock_timeout", usual.lock), said.get("statement_timeout", usual.statement))


def _irreversible(up: tuple[Statement, ...], reason: str) -> tuple[Statement, ...]:
    """Without a DOWN the last statement says that it cannot be undone, unless one says so already."""
    code = HazardCode.IRREVERSIBLE
    if not reason or not up or any(hazard.code == code for one in up for hazard in one.hazards):
        return up
    last = up[-1]
    hazards = (*last.hazards, Hazard(code, unescaped(reason)))
    return (*up[:-1], replace(last, hazards=hazards))


def _reason(migration: Migration) -> str:
    why = why_irreversible(migration)
    if why is None:
        raise Stalled(
            f"migration {migration.version} has no DOWN and does not say why",
            hint="add the DOWN, or the hazard IRREVERSIBLE to one of its statements",
        )
    return why or "it cannot be undone"


def _line_ends(text: str) -> str:
    """A file whose lines all end in CRLF was converted on checkout; with mixed ends the CRs belong to the
    SQL.
    """
    converted = "\r\n" in text and text.count("\r\n") == text.count("\n")
    return text.replace("\r\n", "\n") if converted else text
