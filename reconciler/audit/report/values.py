"""What an audit came to, as one value, in the order a person should read it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.audit.rules import Rule
from reconciler.errors import Source
from reconciler.model import Cell, Finding, ObjectId, Severity, Verdict
from reconciler.shadow.tenants.values import Identity, Tenancy

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Worst first."""
VERDICTS: tuple[Verdict, ...] = ("leak", "undecided", "bypass", "shared", "isolated")
"""What needs eyes first."""
_COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "EXECUTE")


@dataclass(frozen=True, slots=True, order=True)
class Exempted:
    """A finding that somebody accepted, why, and until when (an ISO date)."""

    finding: Finding
    reason: str
    expires: str


@dataclass(frozen=True, slots=True)
class Audit:
    """All that was found about `source`.

    `attacked` says whether attacks were to run at all; `partial` why they did not run to the end (empty when they did). `unseeded` are tables
    without rows of a tenant, `untried` sentences about what else nobody tried. `places` says where objects are declared, `rules` what their
    findings mean, `versions` which programs spoke.
    """

    source: str
    major: int
    tenancy: Tenancy = field(default_factory=lambda: Tenancy({}))
    identities: tuple[Identity, ...] = ()
    cells: tuple[Cell, ...] = ()
    findings: tuple[Finding, ...] = ()
    exempted: tuple[Exempted, ...] = ()
    unseeded: Mapping[ObjectId, str] = field(default_factory=dict)
    untried: tuple[str, ...] = ()
    attacked: bool = True
    partial: str = ""
    places: Mapping[ObjectId, Source] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def worst_first(self) -> tuple[Finding, ...]:
        return tuple(sorted(self.findings, key=lambda f: (SEVERITIES.index(f.severity), f)))

    @property
    def leaks(self) -> tuple[Cell, ...]:
        return tuple(sorted(cell for cell in self.cells if cell.verdict == "leak"))

    @property
    def undecided(self) -> tuple[Cell, ...]:
        return tuple(sorted(cell for cell in self.cells if cell.verdict == "undecided"))

    @property
    def by_severity(self) -> dict[Severity, int]:
        """How many findings of each severity, none among them."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    @property
    def counted(self) -> str:
        """The findings in words: `1 error, 2 warnings, 3 notes`."""
        names = {"error": "error", "warning": "warning", "info": "note"}
        words = (f"{n} {names[one]}{'' if n == 1 else 's'}" for one, n in self.by_severity.items())
        return ", ".join(words) + (f"; {len(self.exempted)} exempted" if self.exempted else "")

    @property
    def by_verdict(self) -> dict[Verdict, int]:
        found = Counter(cell.verdict for cell in self.cells)
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def decided(self) -> float:
        """Which part of the cells has a verdict, 0 to 1; nothing to decide is all decided."""
        return 1 - self.by_verdict["undecided"] / len(self.cells) if self.cells else 1.0

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings that are this bad or worse."""
        counted = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(finding for finding in self.worst_first if finding.severity in counted)

    def place(self, id: ObjectId) -> Source | None:
        """Where an object, or the one it is a part of, is declared."""
        found = self.places.get(id)
        if found is None and id.part and not id.part.startswith("("):
            for kind in ("table", "view", "materialized_view", "domain", "composite"):
                found = found or self.places.get(ObjectId(kind, id.schema, id.name))
        return found


def commands(cells: Iterable[Cell]) -> tuple[str, ...]:
    """The commands that were tried, the everyday ones first."""
    found = {cell.command for cell in cells}
    return (*(c for c in _COMMANDS if c in found), *sorted(found.difference(_COMMANDS)))


def grouped(cells: Iterable[Cell]) -> dict[tuple[str, str], tuple[Cell, ...]]:
    """Cells that differ in nothing but the identity and the object's name: by verdict and reason, the largest group first."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in sorted(cells):
        found.setdefault((cell.verdict, cell.reason), []).append(cell)
    return {
        key: tuple(them) for key, them in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    }
