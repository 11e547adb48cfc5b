"""`suspend` and `resume`: leave a database alone, and look after it again."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen


@command(
    app,
    "reconciler suspend --reason 'repairing invoices by hand, ticket 4711'",
    "reconciler suspend --database billing --format json",
)
def suspend(
    screen: Screen,
    target: Target,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; whoever looks sees it.")] = "",
) -> None:
    """Pauses reconciling of one database: `run` goes on looking at it, and proposes and applies nothing.

    Written down in the database itself, so that every machine sees it. What runs now ends first. What a person types (apply,
    rollback) is done all the same. Exit 0 suspended, also when it was before; 3 when this role may not write that down.
    """
    from reconciler.engine import suspending

    database = target.one(screen, files=False)
    found = suspending.suspend(database, reason)
    if screen.is_json:
        screen.document({"database": database.name, "suspension": suspending.fact(found)})
    else:
        screen.say(f"{database.name} is {found}.")


@command(
    app,
    "reconciler resume",
    "reconciler resume --database billing --format json",
)
def resume(screen: Screen, target: Target) -> None:
    """Ends a pause: `run` does again what the mode allows.

    Exit 0 not suspended any more, also when it was not; 3 when this role may not write that down.
    """
    from reconciler.engine import suspending

    database = target.one(screen, files=False)
    was = suspending.resume(database)
    if screen.is_json:
        screen.document({"database": database.name, "suspension": None, "was": suspending.fact(was)})
    elif was is None:
        screen.say(f"{database.name} was not suspended.")
    else:
        screen.say(f"{database.name} is reconciled again; it was {was}.")
