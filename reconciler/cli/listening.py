"""`listener install` and `listener remove`: the event trigger that tells the daemon of DDL."""

from __future__ import annotations

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen

listener = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The DDL event trigger on a target.")
app.add_typer(listener, name="listener")


@command(listener, "reconciler listener install --url postgresql://admin@host/shop")
def install(screen: Screen, target: Target) -> None:
    """Has the database tell the daemon, at commit, that a definition changed and who changed it. Needs a superuser, or what a cloud
    gives instead; may be run again. Never makes a statement of somebody else fail.

    Exit 3 when the role may not.
    """
    from reconciler.engine import listening

    database = target.one(screen, files=False)
    limits = listening.install(database).limits
    if screen.is_json:
        screen.document({"database": database.name, "installed": True, "limits": list(limits)})
        return
    screen.say(f"{database.name}: the listener is installed", *(f"  but {limit}" for limit in limits))


@command(listener, "reconciler listener remove")
def remove(screen: Screen, target: Target) -> None:
    """Takes the event trigger away; drift is then found at check_interval. Exit 3 when the role may not."""
    from reconciler.engine import listening

    database = target.one(screen, files=False)
    there = listening.remove(database)
    if screen.is_json:
        screen.document({"database": database.name, "installed": False, "was_installed": there})
        return
    screen.say(f"{database.name}: {'the listener is removed' if there else 'there was no listener'}")
