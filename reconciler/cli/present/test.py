"""What `test` found, as lines for people: what failed first and whole, then warnings, then sums, then what was not tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from rich.text import Text

from reconciler.lab.report import Case, Tested
from reconciler.lab.trials import Verdict

_SIGNS: dict[Verdict, tuple[str, str]] = {
    "failed": ("✗", "bold red"), "warning": ("!", "yellow"), "undecided": ("?", "yellow"), "passed": ("✓", "green"),
}  # fmt: skip
_MANY = 12


def test_lines(tested: Tested, source: str = "") -> Iterator[Text]:
    """Every failure with its schedule and how to replay it; what passed by table. `source` is what stood behind `test` on the command line."""
    sums = ", ".join(f"{number} {verdict}" for verdict, number in tested.counts.items() if number)
    style = "bold red" if tested.failed else "green"
    yield Text(tested.source, style="bold").append(
        f"  PostgreSQL {tested.major}, {tested.schedules} schedules, {tested.seconds:.1f} s", style="dim"
    )
    yield Text(sums or "nothing was tried", style=style)
    if tested.partial:
        yield Text(f"Partial: {tested.partial}", style="bold yellow")
    for case in tested.cases:
        if case.verdict not in ("passed",):
            yield Text()
            yield from _whole(case, f"reconciler test {source}".rstrip())
    yield from _passed([case for case in tested.cases if case.verdict == "passed"])
    if tested.untried:
        yield Text("\nNot tried", style="yellow")
        for sentence in tested.untried[:_MANY]:
            yield Text(f"  {sentence}")
        if len(tested.untried) > _MANY:
            yield Text(f"  and {len(tested.untried) - _MANY} more (--format json names them)", style="dim")


def _whole(case: Case, command: str) -> Iterator[Text]:
    sign, colour = _SIGNS[case.verdict]
    yield Text(f"{sign} {case.name}", style=colour).append(
        f"  {case.level}" if case.level else "", style="bold"
    )
    yield Text(f"    {case.says}")
    for sql in case.statements:
        yield Text(f"      {sql}", style="cyan")
    for line in case.diagram:
        yield Text(f"      {line}", style="dim")
    for line in case.difference:
        yield Text(f"      {line}", style="magenta")
    if case.schedule:
        level = case.level.replace(" ", "-")
        yield Text(
            f"    again: {command} --race {quote(case.name)} --level {level} --schedule {case.schedule}"
        )
    if case.advice is not None:
        yield Text(f"    → {case.advice.says}")
        if case.advice.shown:
            yield Text(f"      {case.advice.shown}", style="green")
            for line in case.advice.script.rstrip().splitlines():
                yield Text(f"      {line}", style="cyan")
    if case.place is not None:
        yield Text(f"    {case.place}", style="dim")


def _passed(cases: Sequence[Case]) -> Iterator[Text]:
    subjects: dict[str, list[Case]] = {}
    for case in cases:
        subjects.setdefault(str(case.subject), []).append(case)
    if subjects:
        yield Text("\nPassed", style="green")
    for subject, found in subjects.items():
        played = sum(sum(case.counts.values()) for case in found)
        number = "1 case" if len(found) == 1 else f"{len(found)} cases"
        schedules = f", {played} schedules" if played else ""
        part = sum(1 for case in found if not case.whole)
        note = f", {part} of them not through all their schedules" if part else ""
        yield Text(f"  {subject}: {number}{schedules}{note}")
