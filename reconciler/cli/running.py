"""`run` and `demo`: the machine at work."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen


@command(
    app,
    "reconciler run                                     # until SIGTERM; page and metrics at http.listen",
    "reconciler run --once --format json                # one pass over every configured database",
)
def run(
    screen: Screen,
    target: Target,
    once: Annotated[bool, typer.Option("--once", help="One pass, then exit.")] = False,
) -> None:
    """Keeps the configured databases as declared: looks whenever files, databases or the clock ask for it, and does what the mode of
    each allows. SIGHUP reads the configuration again, SIGUSR1 asks for a pass, SIGTERM ends in order.

    Exit 0 at the end. With --once: 0 when everything is as wished afterwards, 1 when not, 3 when a person must act, 4 when a database
    was not there.
    """
    from reconciler.cli.present import conditions
    from reconciler.cli.stopping import stoppable
    from reconciler.engine import looking
    from reconciler.engine.cycle import run_once

    if not once:
        from reconciler.daemon import run as daemon

        if not daemon(
            lambda: target.config(screen), serving_at=lambda url: screen.note(f"status page: {url}")
        ):
            os._exit(0)  # a session that does not answer would keep its thread, and that thread the process
        return
    found = []
    for database in target.all(screen, files=False):
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
