"""`run --once` and `demo`: the machine at work."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen


@command(
    app,
    "reconciler run --once                              # one pass over every configured database",
    "reconciler run --once --format json",
)
def run(
    screen: Screen,
    target: Target,
    once: Annotated[bool, typer.Option("--once", help="One pass, then exit.")] = False,
) -> None:
    """Makes one pass over the configured databases: looks, and does what the mode of each allows.

    Exit 0 when everything is as wished afterwards, 1 when not, 3 when a person must act, 4 when a database was not there.
    """
    from reconciler.cli.present import conditions
    from reconciler.cli.stopping import stoppable
    from reconciler.engine import looking
    from reconciler.engine.cycle import run_once
    from reconciler.errors import Usage

    if not once:
        raise Usage("the daemon is not part of this release", hint="reconciler run --once makes one pass")
    found = []
    for database in target.all(screen):
        with stoppable(database.grace.seconds) as stop, screen.progress() as told:
            status = run_once(database, told=told, stop=stop)
        found.append((status, looking.exit_of(database, status)))
        if stop.asked:
            screen.note(f"stopped by {stop.why}: what comes after {database.name} was not looked at")
            break
    if screen.is_json:
        screen.document({"databases": [conditions.status_document(one, code) for one, code in found]})
    else:
        for one, _ in found:
            screen.say_all(conditions.status_lines(one))
    raise typer.Exit(looking.gravest(code for _, code in found))


@command(
    app,
    "reconciler demo                                    # ends with Ctrl-C",
    "reconciler demo --once                             # the same without the page at the end",
)
def demo(
    screen: Screen,
    once: Annotated[bool, typer.Option("--once", help="Do not serve the page at the end.")] = False,
) -> None:
    """Shows everything on a PostgreSQL of its own with the bundled ClearScrub schema. Touches nothing else."""
    from reconciler.cli.demo import demo as play

    play(once=once, screen=screen)
