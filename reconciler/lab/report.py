"""What was tried and what came of it, as values: one case for each race at each level and for each scenario.

Promises that what was not tried is listed with the reason, and that a failed race carries the schedule that replays it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reconciler.errors import Source
from reconciler.lab.race import Explored
from reconciler.lab.trials.bench import Verdict
from reconciler.lab.values import Isolation, Step
from reconciler.model import ObjectId

VERDICTS: tuple[Verdict, ...] = ("failed", "warning", "undecided", "passed")


@dataclass(frozen=True, slots=True)
class Advice:
    """What would mend it. `script` is SQL that does, where that is mechanical; `shown` says what came of a rerun with it."""

    fix: str
    says: str
    script: str = ""
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was tried. `schedule` replays a race; `difference` are lines that no serial order has, and the other way round;
    `diagram` is the schedule for a person, `actors`, `turns` and `ends` the same in parts; `counts` how many schedules came to what."""

    name: str
    kind: Literal["race", "scenario", "trial"]
    subject: ObjectId
    verdict: Verdict
    says: str
    level: Isolation | Literal[""] = ""
    found: str = ""
    schedule: str = ""
    statements: tuple[str, ...] = ()
    difference: tuple[str, ...] = ()
    diagram: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    turns: tuple[Step, ...] = ()
    ends: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    whole: bool = True
    instrumented: bool = False
    seconds: float = 0.0
    advice: Advice | None = None
    place: Source | None = None

    @property
    def key(self) -> str:
        return f"{self.name}@{self.level}" if self.level else self.name


@dataclass(frozen=True, slots=True)
class Tested:
    """`untried` are sentences; `partial` says that the run was interrupted, and where."""

    source: str
    major: int
    cases: tuple[Case, ...]
    untried: tuple[str, ...] = ()
    partial: str = ""
    seconds: float = 0.0

    @property
    def counts(self) -> Mapping[Verdict, int]:
        found = Counter(case.verdict for case in self.cases)
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def schedules(self) -> int:
        return sum(sum(case.counts.values()) for case in self.cases)

    @property
    def failed(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.verdict == "failed")


def counted(explored: Explored) -> dict[str, int]:
    return dict(sorted(Counter(judged.kind for judged in explored.judged).items()))


def document(tested: Tested) -> dict[str, Any]:
    """The content of the JSON document."""
    return {
        "source": tested.source, "major": tested.major, "partial": tested.partial, "seconds": round(tested.seconds, 2),
        "schedules": tested.schedules, "counts": dict(tested.counts), "untried": list(tested.untried),
        "cases": [_case(case) for case in tested.cases],
    }  # fmt: skip


def _case(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": case.name, "kind": case.kind, "verdict": case.verdict, "subject": {"kind": case.subject.kind, "id": str(case.subject)},
        "level": case.level, "found": case.found, "says": case.says, "schedule": case.schedule, "schedules": dict(case.counts),
        "exhaustive": case.whole, "instrumented": case.instrumented, "statements": list(case.statements), "difference": list(case.difference),
        "diagram": list(case.diagram), "seconds": round(case.seconds, 3),
    }  # fmt: skip
    if case.advice is not None:
        found["advice"] = {
            "fix": case.advice.fix,
            "says": case.advice.says,
            "script": case.advice.script,
            "shown": case.advice.shown,
        }
    if case.place is not None:
        found |= {"file": case.place.file, "line": case.place.line}
    return found
