"""A plan and its rehearsal as lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from reconciler.engine.document import STAGES
from reconciler.migrate.weights import band_words, effects, timing
from reconciler.model import Change, Measured, ObjectId, Plan, Rehearsal, Statement, together

if TYPE_CHECKING:
    from reconciler.engine.preflight import Answers

SIGNS = {"create": ("+", "green"), "alter": ("~", "yellow"), "drop": ("-", "red")}
_ROUTINES = ("function", "procedure", "aggregate", "operator", "cast")


def words(kind: str) -> str:
    """A kind as a person would say it."""
    return kind.replace("_", " ")


def change_lines(changes: Sequence[Change]) -> Iterator[Text]:
    """One line per object; what comes or goes with its whole is counted on the line of the whole."""
    wholes = {(c.verb, c.id.schema, c.id.name): c.id for c in changes if not _is_part(c.id)}
    parts: dict[ObjectId, Counter[str]] = {}
    shown = []
    for change in changes:
        whole = wholes.get((change.verb, change.id.schema, change.id.name)) if _is_part(change.id) else None
        if whole is not None and change.verb != "alter":
            parts.setdefault(whole, Counter())[change.id.kind] += 1
        else:
            shown.append(change)
    for change in shown:
        sign, colour = SIGNS[change.verb]
        line = Text(f"  {sign} ", style=colour).append(f"{words(change.id.kind)} {change.id}", style=colour)
        details = [f"was {change.was}"] if change.was else [words(name) for name in change.attributes]
        details += [f"{n} {_many(kind, n)}" for kind, n in sorted(parts.get(change.id, Counter()).items())]
        if details:
            line.append(f"  ({', '.join(details)})", style="dim")
        yield line


def plan_lines(plan: Plan, rehearsal: Rehearsal | None, *, major: int = 0) -> Iterator[Text]:
    """The whole plan: changes, UP, DOWN, and what the rehearsal found."""
    if not plan.changes and not plan.up:
        yield (
            Text("No difference.", style="green")
            if not plan.unmodelled
            else Text("No difference in what can be compared.", style="yellow")
        )
        yield from unmodelled_lines(plan.unmodelled)
        return
    count = len(plan.changes)
    yield Text(f"{count} {'change' if count == 1 else 'changes'}", style="bold")
    yield from change_lines(plan.changes)
    for suggestion in plan.suggestions:
        yield Text(f"  ? {suggestion}", style="yellow")
    found = rehearsal or Rehearsal()
    yield Text()
    yield Text("UP", style="bold").append(
        f"  {_sentence_about(plan)}{_total(found.measured_up)}", style="dim"
    )
    yield from statement_lines(plan.up, found.measured_up)
    yield Text("DOWN", style="bold").append(
        f"  {_counted(plan.down)}{_total(found.measured_down)}", style="dim"
    )
    yield from statement_lines(plan.down, found.measured_down)
    if plan.set_aside:
        yield Text(f"{plan.set_aside}.", style="dim")
    for note in plan.notes:
        yield Text(f"Note: {note}", style="dim")
    if rehearsal is not None:
        yield from rehearsal_lines(rehearsal, major=major)
    else:
        yield Text("Not rehearsed.", style="dim")
    yield from unmodelled_lines(plan.unmodelled)


def statement_lines(statements: Sequence[Statement], measured: Sequence[Measured] = ()) -> Iterator[Text]:
    """Each statement under its reason, with what it risks and what it did in the rehearsal."""
    if not statements:
        yield Text("  nothing", style="dim")
    for n, statement in enumerate(statements):
        head = Text(f"  -- {statement.reason or 'no reason given'}", style="cyan")
        head.append(f"  [{statement.source}]", style="dim")
        if not statement.transactional:
            head.append("  outside a transaction", style="yellow")
        elif statement.apart:
            head.append("  in a new transaction", style="yellow")
        yield head
        for line in f"{statement.sql};".splitlines():
            yield Text(f"  {line}")
        for hazard in statement.hazards:
            yield Text(f"     ! {hazard.code}: {hazard.consequence}", style="bold red")
        told = _measured(measured[n]) if n < len(measured) else ""
        if told:
            yield Text(f"     {told}", style="dim")
    yield Text()


def rehearsal_lines(rehearsal: Rehearsal, *, major: int = 0) -> Iterator[Text]:
    """The stages on one line, then everything that was not as expected, then what was not tried."""
    on = f" on PostgreSQL {major}" if major else ""
    passed = Text("passed", style="bold green") if rehearsal.passed else Text("failed", style="bold red")
    yield (
        Text("Rehearsal ")
        .append_text(passed)
        .append(f"{on}, scope {rehearsal.scope}, {rehearsal.seconds:.1f} s", style="dim")
    )
    line = Text("  ")
    for stage in STAGES:
        line.append_text(_stage(stage.replace("_", " "), getattr(rehearsal, stage)))
    rows = {True: "rows kept", False: "rows lost, as announced", None: "no rows watched"}
    line.append(
        rows[rehearsal.rows_kept], style={True: "green", False: "yellow", None: "dim"}[rehearsal.rows_kept]
    )
    yield line
    for sentence in rehearsal.residue:
        yield Text(f"  ✗ {sentence}", style="red")
    for sentence in rehearsal.unweighed:
        yield Text(f"  Times: {sentence}", style="dim")
    if rehearsal.unseeded:
        yield Text("  Not tried:", style="yellow")
        for sentence in rehearsal.unseeded:
            yield Text(f"    {sentence}", style="yellow")


def extra_lines(extra: Iterable[ObjectId]) -> Iterator[Text]:
    """Undeclared objects that stay as they are."""
    for id in extra:
        yield Text(f"  ? {words(id.kind)} {id} is not declared and stays", style="yellow")


def row_lines(answers: Answers) -> Iterator[Text]:
    """What the live rows say to the plan now."""
    refused = answers.refused()
    if refused:
        yield Text("Rows in the way (apply asks them again, and refuses):", style="bold red")
    for one in refused:
        yield Text(f"  ✗ {one.sentence}", style="red")
        yield Text(f"    → {one.doubt.hint}", style="dim")
    for sentence in answers.told():
        yield Text(f"  ? {sentence}", style="yellow")


def unmodelled_lines(names: Iterable[str]) -> Iterator[Text]:
    """What could not be compared, so that nobody thinks it was."""
    for name in names:
        yield Text(f"Not compared: {name}", style="bold yellow")


def _stage(name: str, result: bool | None) -> Text:
    sign, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "dim")}[result]
    return Text(f"{name} {sign} · ", style=style)


def _sentence_about(plan: Plan) -> str:
    return f"{_counted(plan.up)}, {round(100 * plan.share_of_migra)} % by migra"


def _counted(statements: Sequence[Statement]) -> str:
    return f"{len(statements)} {'statement' if len(statements) == 1 else 'statements'}"


def _total(found: Sequence[Measured]) -> str:
    band = together(found)
    return f", {band_words(band)} on the target's rows" if band else ""


def _measured(found: Measured) -> str:
    return " · ".join([*effects(found), timing(found.seconds, found.on_live)])


def _is_part(id: ObjectId) -> bool:
    return bool(id.part) and not id.part.startswith("(")


def _many(kind: str, n: int) -> str:
    word = words(kind)
    if n == 1:
        return word
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x")) else "s")
