"""The comment above a statement: why it is there, what it may cost, who wrote it. Written and read here
alone.

    -- Drops the column total, which is no longer declared.
    --   hazard DELETES_DATA: 1,200 values are deleted
    --   lock_timeout 5s
    --   by catalog, for column public.invoices.total

Promises that reading gives back what was written, whatever characters it holds. Knows no SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.errors import Source, Usage
from reconciler.migrate.items import WRITER
from reconciler.model import Hazard, HazardCode, ObjectId, Statement, quoted
from reconciler.model import Source as Writer

MARKER = re.compile(r"--\s*(?P<section>UP|DOWN)\s*(?:none\s*:\s*(?P<reason>\S.*))?\Z")
"""A line that begins a section. `-- DOWN none: REASON` says that there is none."""

_HAZARD = re.compile(r"--   hazard (?P<code>[A-Z_]+): (?P<consequence>.*)\Z")
_TIMEOUT = re.compile(r"--   (?P<name>lock_timeout|statement_timeout) (?P<value>.+)\Z")
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^".\s]+)')
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PLAIN = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t", "s": " ", "&": ""}


@dataclass(frozen=True, slots=True)
class Remarks:
    """What the comments above a statement say. `written` is true when the comment is one of ours."""

    reason: str
    hazards: tuple[Hazard, ...] = ()
    lock_timeout: str = ""
    statement_timeout: str = ""
    source: Writer = "hand"
    subject: ObjectId | None = None
    written: bool = False


def remark(statement: Statement) -> list[str]:
    """The lines of comment above `statement`."""
    lines = []
    if statement.reason:
        line = "-- " + escaped(statement.reason)
        lines.append("-- \\&" + line[3:] if MARKER.match(line) else line)
    lines += [f"--   hazard {hazard.code}: {escaped(hazard.consequence)}" for hazard in statement.hazards]
    if statement.lock_timeout:
        lines.append(f"--   lock_timeout {escaped(statement.lock_timeout)}")
    if statement.statement_timeout:
        lines.append(f"--   statement_timeout {escaped(statement.statement_timeout)}")
    subject = f", for {statement.subject.kind} {_path(statement.subject)}" if statement.subject else ""
    return [*lines, f"--   by {statement.source}{escaped(subject)}"]


def remarks(comments: Sequence[str], source: Source) -> Remarks:
    """Reads the comments that stand above one statement. Raises `Usage` for a hazard that does not exist.

    Without a line of ours (`--   by …`) all of them together are the reason a person gave.
    """
    writer = WRITER.match(comments[-1]) if comments else None
    if writer is None:
        lines = [comment.removeprefix("--").strip() for comment in comments if comment.startswith("--")]
        return Remarks(" ".join(line for line in lines if line))
    own = list(comments[:-1])
    timeouts: dict[str, str] = {}
    hazards: list[Hazard] = []
    while own and own[-1].startswith("--   "):
        line = own.pop()
        if found := _HAZARD.match(line):
            hazards.append(Hazard(_code(found["code"], source), unescaped(found["consequence"])))
        elif found := _TIMEOUT.match(line):
            timeouts[found["name"]] = unescaped(found["value"])
    reason = unescaped(own[-1].removeprefix("--").removeprefix(" ")) if own else ""
    subject = _object(unescaped(writer["subject"]), source) if writer["subject"] else None
    who: Writer = (
        "migra" if writer["source"] == "migra" else "hand" if writer["source"] == "hand" else "catalog"
    )
    return Remarks(
        reason,
        tuple(reversed(hazards)),
        timeouts.get("lock_timeout", ""),
        timeouts.get("statement_timeout", ""),
        who,
        subject,
        written=True,
    )


def escaped(text: str) -> str:
    """`text` on one line, without white space that an editor would take off."""
    line = "".join(_ESCAPES.get(character, character) for character in text)
    if line.startswith(" "):
        line = "\\s" + line[1:]
    if line.endswith(" "):
        line = line[:-1] + "\\s"
    return line


def unescaped(line: str) -> str:
    """The text that `escaped` wrote. A backslash that escapes nothing stands for itself."""
    return re.sub(r"\\([\\nrts&])", lambda found: _PLAIN[found[1]], line)


def _path(id: ObjectId) -> str:
    """Schema, name and part, so that leaving one out stays readable: a schema that is missing but has a part
    behind the name is written as "".
    """
    if not id.schema and not id.part:
        return _quoted(id.name)
    parts = [id.schema, id.name, id.part] if id.part else [id.schema, id.name]
    return ".".join(_quoted(part) for part in parts)


def _quoted(name: str) -> str:
    return quoted(name) if name else '""'


def _object(text: str, source: Source) -> ObjectId:
    kind, _, path = text.partition(" ")
    names = [found[1].replace('""', '"') if found[2] is None else found[2] for found in _NAME.finditer(path)]
    if len(names) == 1:
        return ObjectId(kind, "", names[0])
    if len(names) in (2, 3):
        return ObjectId(kind, names[0], names[1], names[2] if len(names) == 3 else "")
    raise Usage(f"no object can be read from “{text}”", hint="take the comment off", sources=(source,))


def _code(text: str, source: Source) -> HazardCode:
    if text not in HazardCode.__members__:
        raise Usage(
            f"{text} is no hazard that this version knows",
            hint="known are " + ", ".join(HazardCode),
            sources=(source,),
        )
    return HazardCode[text]
