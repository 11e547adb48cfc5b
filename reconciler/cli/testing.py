"""`test`: concurrent transactions stepped through the triggers of a copy, every schedule judged."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen
from reconciler.cli.subjects import LiveOption, SourceArgument, subject_of, writable, written

if TYPE_CHECKING:
    from reconciler.engine.testing import Wanted
    from reconciler.lab.values import Isolation


@command(
    app,
    "reconciler test                                     # the triggers of the declarations, on a copy",
    "reconciler test --junit report.xml --seconds 300    # for a build server, five minutes at most",
    "reconciler test --list                              # the names of all races",
    "reconciler test --race 'public.orders/*' --level read-committed",
    "reconciler test --race public.orders/two-inserts-of-one-key --schedule 112122   # one schedule again",
    formats=("text", "json", "junit"),
)
def test(
    screen: Screen,
    target: Target,
    source: SourceArgument = None,
    race: Annotated[
        str,
        typer.Option(
            "--race",
            "--only",
            metavar="NAME",
            help="Only what is called so: a race, a trigger, a scenario; * and ? are wildcards.",
        ),
    ] = "*",
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="1121…", help="Replay this schedule of the race, and show it."),
    ] = None,
    level: Annotated[
        Literal["read-committed", "repeatable-read", "serializable"] | None,
        typer.Option("--level", help="Only this isolation level; default: all three."),
    ] = None,
    schedules: Annotated[
        int, typer.Option("--schedules", min=1, help="How many schedules of a race are tried at most.")
    ] = 60,
    drawn: Annotated[
        int, typer.Option("--drawn", min=0, help="How many more are drawn at random when there are others.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="What the random ones are drawn from.")] = 0,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, help="No new race is begun after so long.")
    ] = 600.0,
    sessions: Annotated[
        int, typer.Option("--sessions", min=2, max=3, help="3: races of three transactions, too.")
    ] = 2,
    bulk: Annotated[
        int, typer.Option("--bulk", min=2, help="How many rows a trigger meets in one statement.")
    ] = 10_000,
    live: LiveOption = False,
    names: Annotated[bool, typer.Option("--list", help="Only name the races there are.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write JSON, JUnit, pictures of schedules and remedies there."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit XML report there, too.")
    ] = None,
) -> None:
    """Runs what triggers do at the same time, in every order, on a copy, and compares it with one after another.

    Nothing is changed on the database. Exit 0; 1 when something failed, 2 when no race has that name, 3 when the schema cannot be loaded,
    4 when it was interrupted.
    """
    from reconciler.cli.present.test import test_lines
    from reconciler.engine.testing import listed, tested
    from reconciler.lab.folder import write
    from reconciler.lab.junit import junit as xml
    from reconciler.lab.report import document

    wanted = _wanted(race, schedule, level, schedules, drawn, seed, seconds, bulk, sessions)
    writable(out, junit)
    with screen.progress() as told, subject_of(screen, target, source, live, None, told) as opened:
        subject, database = opened
        if not subject.shadow.own:
            screen.note(
                f"races run on scratch databases of {subject.shadow.url.redacted}, which is not a server of our own",
                style="yellow",
            )
        if names:
            found = listed(subject, database, told=told)
        else:
            report = tested(subject, database, wanted, told=told)
    if names:
        if screen.is_json:
            screen.document({"names": list(found)})
        else:
            screen.say_all(found)
        return
    if out is not None:
        screen.note(f"wrote {len(write(report, out))} files to {out}")
    if junit is not None:
        written(screen, junit, xml(report))
    if screen.is_json:
        screen.document(document(report))
    elif screen.format == "junit":
        screen.raw(xml(report))
    else:
        screen.say_all(test_lines(report, "--live" if live else quote(report.source) if source else ""))
    raise typer.Exit(1 if report.failed else 4 if report.partial else 0)


def _wanted(
    race: str,
    schedule: str | None,
    level: str | None,
    schedules: int,
    drawn: int,
    seed: int,
    seconds: float,
    bulk: int,
    sessions: int,
) -> Wanted:
    from reconciler.engine.testing import Wanted
    from reconciler.errors import Usage
    from reconciler.lab.explore import Limits
    from reconciler.lab.values import LEVELS

    if schedule is not None and not re.fullmatch("i?[123]+", schedule):
        raise Usage(
            f"{schedule!r} is no schedule", hint="a schedule is the numbers of who goes on, like 112122"
        )
    if schedule is not None and (race == "*" or any(sign in race for sign in "*?[")):
        raise Usage(
            "--schedule needs the one race it belongs to", hint="give --race NAME as the report shows it"
        )
    name, _, at = race.partition("@")
    words = (level or at).replace("-", " ")
    levels: tuple[Isolation, ...] = tuple(one for one in LEVELS if one == words) or LEVELS
    if schedule is not None and not words:
        levels = LEVELS[:1]
    return Wanted(name, schedule or "", levels, Limits(schedules, 6, drawn, seed), seconds, bulk, sessions)
