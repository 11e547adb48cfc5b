"""What an explored race is called in the report: passed, failed, a warning; with its schedule, as a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.declare.scenario import Scenario
from reconciler.errors import Source
from reconciler.lab.diagram import actors, ends, lanes
from reconciler.lab.drafts import OPPOSITE
from reconciler.lab.race import Explored, Judged
from reconciler.lab.report import Case, counted
from reconciler.lab.scenario import Wrong
from reconciler.lab.trials.bench import Tried, Verdict
from reconciler.lab.values import Isolation, Race
from reconciler.model import ObjectId

_DIFFERENT = 12
INSTRUMENTED = "i"
"""How the name of a schedule begins that was played with stops inside function bodies."""


def case_of(explored: Explored, seconds: float, *, instrumented: bool = False) -> Case:
    """The worst schedule stands for the race. `instrumented`: functions had stops between their reads."""
    worst = explored.worst
    verdict, says = said(explored.race, worst)
    if verdict == "passed":
        number = len(explored.judged)
        says = f"{number} schedules{'' if explored.left == 0 else ', not all there are'}: {says}"
    case = _case(explored.race, worst, verdict, says, seconds, counted(explored), explored.left == 0)
    case = _foreseen(explored, case)
    return _marked(case) if instrumented else case


def _foreseen(explored: Explored, case: Case) -> Case:
    """Deadlocks that the locks of each transaction alone foretell: evidence for one that was seen, a warning where none was."""
    if not explored.foreseen or explored.race.name.endswith(OPPOSITE):
        return case
    sentences = tuple(f"foreseen: {cycle}" for cycle in explored.foreseen[:3])
    case = replace(case, difference=(*sentences, *case.difference))
    if case.verdict == "passed":
        says = f"a deadlock is possible, though none was seen: {explored.foreseen[0]}"
        return replace(case, verdict="warning", says=says, found="lock order")
    return case


def case_of_replay(race: Race, judged: Judged, seconds: float, *, instrumented: bool = False) -> Case:
    """One schedule, told whatever it came to."""
    verdict, says = said(race, judged)
    case = _case(race, judged, verdict, says, seconds, {judged.kind: 1}, False)
    case = replace(case, diagram=lanes(race, judged.ran), turns=judged.ran.steps, schedule=judged.ran.name)
    return _marked(case) if instrumented else case


def _marked(case: Case) -> Case:
    """Says that function bodies were changed on the copy."""
    schedule = f"{INSTRUMENTED}{case.schedule}" if case.schedule else ""
    says = f"{case.says} (seen with a stop put between two reads of a function, on the copy)"
    return replace(case, schedule=schedule, says=says, instrumented=True)


def said(race: Race, judged: Judged) -> tuple[Verdict, str]:
    """A deadlock between transactions of several statements comes from the order of the clients. Where the race was made to show just that,
    it is no news; elsewhere it is a warning."""
    if judged.kind in ("serial", "retry"):
        again = " (some to be run again, 40001)" if judged.kind == "retry" else ""
        return "passed", f"as one after another{again}"
    if judged.kind == "unclear":
        return "undecided", judged.says
    if judged.kind == "deadlock" and any(len(actor.statements) > 1 for actor in race.actors):
        waits = (
            [s for s in judged.ran.deadlock.sentences if " waits for " in s] if judged.ran.deadlock else []
        )
        if race.name.endswith(OPPOSITE) and all(f" {race.subject} (" in sentence for sentence in waits):
            return (
                "passed",
                "as one after another, but for deadlocks that the clients' own order makes (40P01, to be run again)",
            )
        return "warning", f"a deadlock from the order of the clients' statements: {judged.says}"
    return "failed", judged.says


def _case(
    race: Race, judged: Judged, verdict: Verdict, says: str, seconds: float,
    counts: dict[str, int], whole: bool,
) -> Case:  # fmt: skip
    bad = verdict != "passed"
    return Case(
        race.name, "race", race.subject or ObjectId("race", "", race.name), verdict, says, race.isolation, judged.kind,
        schedule=judged.ran.name if bad else "",
        statements=tuple(f"{n}: {sql}" for n, actor in enumerate(race.actors, 1) for sql in actor.statements),
        difference=judged.difference[:_DIFFERENT],
        diagram=lanes(race, judged.ran) if bad else (),
        actors=actors(race), turns=judged.ran.steps if bad else (), ends=ends(judged.ran),
        counts=counts, whole=whole, seconds=seconds,
    )  # fmt: skip


def case_of_scenario(scenario: Scenario, level: Isolation, wrong: Sequence[Wrong], seconds: float) -> Case:
    """A declared scenario that ran step by step. It is where its first fault stands."""
    says = "; ".join(f"{one.says} ({one.source})" for one in wrong)
    return Case(
        scenario.name, "scenario", ObjectId("scenario", "", scenario.name), "failed" if wrong else "passed",
        says or f"{len(scenario.steps)} steps as expected", level, "unexpected" if wrong else "",
        statements=tuple(sql for one in scenario.steps for sql in one.statements), seconds=seconds,
        place=wrong[0].source if wrong else scenario.source,
    )  # fmt: skip


def case_of_trial(tried: Tried, seconds: float, place: Source | None) -> Case:
    """One trial of one trigger."""
    return Case(
        f"{tried.trigger.id}/{tried.name}", "trial", tried.trigger.id, tried.verdict, tried.says, found=tried.found,
        statements=tried.statements, seconds=seconds, place=place,
    )  # fmt: skip
