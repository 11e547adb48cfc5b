"""`approve`: consent to what a migration may destroy or weaken, before it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command, trust_of
from reconciler.cli.screen import Screen


@command(
    app,
    "reconciler approve 20260301120000                  # shows what it may do, asks",
    "reconciler approve 20260301120000 --yes",
    "reconciler approve 20260301120000 --withdraw       # no longer",
)
def approve(
    screen: Screen,
    target: Target,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="A pending one; its first digits are enough.")
    ],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take an approval back.")] = False,
) -> None:
    """Allows the hazards of one pending migration on this database, so that apply and run may bring it in without being asked.

    Rehearses it, shows its hazards, asks, and writes down who agreed in schema reconciler. An edited file has no approval.
    Exit 0 approved, or nothing in it needs consent; 3 not agreed.
    """
    from reconciler.cli.present import migrations
    from reconciler.engine import approving
    from reconciler.errors import Usage

    database = target.one(screen)
    if withdraw:
        taken = approving.withdraw(database, version)
        if screen.is_json:
            screen.document({"database": database.name, "version": taken.version, "approval": None})
        else:
            screen.say(f"The approval of {taken.version} is taken back.")
        return
    with screen.progress() as told:
        found = approving.approvable(database, version, trust=trust_of(database), told=told)
    if not found.hazards:
        if screen.is_json:
            screen.document({"database": database.name, "version": found.migration.version, "approval": None})
        else:
            screen.say(f"Nothing in {found.migration.filename} needs consent.")
        return
    if not target.yes:
        if not screen.asks or screen.is_json:
            raise Usage("nobody is there to agree: this is not a terminal", hint="say so with --yes")
        screen.say_all(migrations.ups_lines([found.migration]))
        for hazard in found.hazards:
            screen.say(f"{hazard.code}: {hazard.consequence}")
        if not typer.confirm("Approve this?", err=True):
            screen.note("nothing was approved")
            raise typer.Exit(3)
    given = approving.approve(database, found)
    if screen.is_json:
        screen.document(
            {
                "database": database.name,
                "version": given.version,
                "approval": migrations.approval(given, holds=True),
            }
        )
    else:
        screen.say(f"Approved {', '.join(given.codes)} of {found.migration.filename}, by {given.who}.")
