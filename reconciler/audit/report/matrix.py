"""The matrix a reviewer reads in a minute: one row for each object, one column for each identity, one mark for each command. Pure.

Where several attacks had the same object, command and identity, the worst verdict stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.audit.report.values import VERDICTS, Audit, commands
from reconciler.model import Cell, ObjectId, Verdict

GLYPHS: dict[Verdict, str] = {"leak": "✗", "undecided": "?", "bypass": "•", "shared": "○", "isolated": "✓"}
MEANINGS: dict[Verdict, str] = {
    "leak": "a row of the other tenant was shown or changed",
    "undecided": "not known; the reason is below",
    "bypass": "row-level security does not bind this role",
    "shared": "nobody's rows",
    "isolated": "attacked; refused, or neither showed nor changed anything",
}
_SHORT = {"SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D", "TRUNCATE": "T", "EXECUTE": "X"}


@dataclass(frozen=True, slots=True)
class Mark:
    """The worst verdict of one command; `letter` is its name as short as it can be told."""

    command: str
    letter: str
    verdict: Verdict
    reason: str

    @property
    def glyph(self) -> str:
        return GLYPHS[self.verdict]


@dataclass(frozen=True, slots=True)
class Line:
    """One object: its marks by identity, in the order of the matrix's identities."""

    object: ObjectId
    marks: tuple[tuple[Mark, ...], ...]
    worst: Verdict


@dataclass(frozen=True, slots=True)
class Matrix:
    """`lines` worst first, then by name. `unbound` are identities that have no column, because row-level security binds them nowhere;
    `letters` says which command each letter stands for."""

    identities: tuple[str, ...]
    lines: tuple[Line, ...]
    unbound: tuple[str, ...]
    letters: tuple[tuple[str, str], ...]


def matrix(audit: Audit) -> Matrix:
    """The matrix of all cells."""
    named = tuple(identity.name for identity in audit.identities)
    identities = (*named, *sorted({cell.identity for cell in audit.cells}.difference(named)))
    order = commands(audit.cells)
    letters = {command: _letter(command) for command in order}
    worst: dict[ObjectId, dict[str, dict[str, Cell]]] = {}
    for cell in sorted(audit.cells):
        there = worst.setdefault(cell.object, {}).setdefault(cell.identity, {})
        if cell.command not in there or _rank(cell) < _rank(there[cell.command]):
            there[cell.command] = cell
    lines = []
    for id, by_identity in worst.items():
        marks = tuple(
            tuple(
                Mark(command, letters[command], found.verdict, found.reason)
                for command in order
                if (found := by_identity.get(identity, {}).get(command)) is not None
            )
            for identity in identities
        )
        all_of_them = [mark.verdict for some in marks for mark in some]
        lines.append(Line(id, marks, min(all_of_them, key=VERDICTS.index)))
    lines.sort(key=lambda line: (_urgent(line.worst), line.object.kind != "table", line.object))
    bound = {cell.identity for cell in audit.cells if cell.verdict not in ("bypass", "shared")}
    used = tuple(i for i, name in enumerate(identities) if name in bound)
    unbound = tuple(sorted({cell.identity for cell in audit.cells} - bound))
    kept = tuple(Line(line.object, tuple(line.marks[i] for i in used), line.worst) for line in lines)
    return Matrix(tuple(identities[i] for i in used), kept, unbound, tuple((letters[c], c) for c in order))


def _rank(cell: Cell) -> int:
    return VERDICTS.index(cell.verdict)


def _urgent(verdict: Verdict) -> int:
    return {"leak": 0, "undecided": 1}.get(verdict, 2)


def _letter(command: str) -> str:
    return _SHORT.get(command, command)
