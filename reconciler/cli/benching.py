"""`bench`: what each trigger costs, against its budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen
from reconciler.cli.subjects import LiveOption, SourceArgument, subject_of, writable

if TYPE_CHECKING:
    from reconciler.lab.overhead import Budget, Cost


@command(
    app,
    "reconciler bench                                   # every trigger of the declarations",
    "reconciler bench --trigger orders.take_stock       # one of them",
    "reconciler bench schema.sql --single 5% --bulk 30% # a file, a folder or a URL; another budget",
    "reconciler bench --live --format json",
    formats=("text", "json"),
)
def bench(
    screen: Screen,
    target: Target,
    source: SourceArgument = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option(
            "--trigger", metavar="NAME", help="This trigger; may be said again. Default: all of them."
        ),
    ] = None,
    live: LiveOption = False,
    single: Annotated[
        str | None,
        typer.Option("--single", metavar="SHARE", help="Budget of one row; default: as declared, or 10%."),
    ] = None,
    bulk: Annotated[
        str | None,
        typer.Option(
            "--bulk", metavar="SHARE", help="Budget of 10,000 rows at once; default: as declared, or 50%."
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", metavar="S", min=5, max=600, help="About how long one trigger and event may take."
        ),
    ] = 25.0,
    plans: Annotated[bool, typer.Option("--plans", help="Show what EXPLAIN ANALYZE says, too.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write JSON, JUnit and pictures of the latencies there."),
    ] = None,
) -> None:
    """Measures what triggers cost on a copy with made-up rows: one row, 10,000 rows, several sessions, with the trigger and without.

    PASS or FAIL is said only where the noise of the machine leaves no doubt; else INCONCLUSIVE. Exit 1 when one fails its budget, 4 when
    it was interrupted.
    """
    from reconciler.cli.present.costs import cost_lines
    from reconciler.engine.benching import benched
    from reconciler.lab.overhead.report import document, write

    writable(out)
    found: list[Cost] = []
    interrupted = False
    with screen.progress() as told, subject_of(screen, target, source, live, None, told) as (subject, _):
        try:
            for cost in benched(
                subject, only=trigger or (), budget=_budget(single, bulk), seconds=seconds, told=told
            ):
                found.append(cost)
        except KeyboardInterrupt:
            interrupted = True
            screen.note("interrupted: what is not here was not measured", style="yellow")
    if out is not None:
        screen.note(f"wrote {len(write(subject.name, found, out))} files to {out}")
    if screen.is_json:
        screen.document(document(subject.name, found))
    else:
        screen.say_all(cost_lines(found, plans=plans))
    raise typer.Exit(1 if any(cost.verdict == "FAIL" for cost in found) else 4 if interrupted else 0)


def _budget(single: str | None, bulk: str | None) -> Budget | None:
    from reconciler.declare.budget import budget
    from reconciler.errors import Source
    from reconciler.lab.overhead import Budget

    given = {size: text for size, text in (("single", single), ("bulk", bulk)) if text is not None}
    if not given:
        return None
    usual, said = Budget(), budget(given, Source("the command line", 1))
    return Budget(
        usual.single if said.single is None else said.single, usual.bulk if said.bulk is None else said.bulk
    )
