"""`purge`: what becomes of dropped data in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.model import Quarantined
    from reconciler.settings import Database


@command(
    app,
    "reconciler purge --list                            # what is kept, since when, how large",
    "reconciler purge --yes                             # destroy what is older than the retention",
    "reconciler purge --hold public.invoices --reason 'lawsuit 7/26'",
    "reconciler purge --erase-where 'user_id = 4711' --yes",
)
def purge(
    screen: Screen,
    target: Target,
    show: Annotated[bool, typer.Option("--list", help="Show what is kept, destroy nothing.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="Instead of the retention: 0s, 12h, 30d."),
    ] = None,
    hold: Annotated[
        list[str] | None,
        typer.Option("--hold", metavar="OBJECT", help="Never purge it until it is released."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why it is held.")] = None,
    release: Annotated[
        list[str] | None, typer.Option("--release", metavar="OBJECT", help="No longer held.")
    ] = None,
    erase_where: Annotated[
        str | None,
        typer.Option("--erase-where", metavar="CONDITION", help="Delete these rows from all that is kept."),
    ] = None,
) -> None:
    """Destroys dropped data that was kept for longer than the retention (14 days unless configured).

    What is held stays. Exit 0 done, 3 when something could not be destroyed or asked and a person must look, 4 when an apply is
    at work or somebody uses what is kept: run it again later.
    """
    from reconciler.cli.present import quarantined
    from reconciler.engine import purging
    from reconciler.errors import Usage

    asked = [bool(show), bool(hold), bool(release), erase_where is not None]
    if sum(asked) > 1:
        raise Usage(
            "--list, --hold, --release and --erase-where are different things", hint="give one of them"
        )
    if bool(hold) != (reason is not None):
        raise Usage("--hold and --reason belong together", hint="say what is held, and why")
    database = target.one(screen, files=False)
    if show:
        quarantined.shown(screen, database, purging.kept(database))
    elif hold or release:
        found = purging.hold(database, tuple(hold or release or ()), reason)
        quarantined.shown(screen, database, found)
    elif erase_where is not None:
        _erased(screen, target, database, erase_where)
    else:
        _purged(screen, target, database, _seconds(older_than))


def _seconds(text: str | None) -> float | None:
    from reconciler.errors import Usage
    from reconciler.settings.duration import Duration

    if text is None:
        return None
    try:
        return Duration.parse(text).seconds
    except ValueError as error:
        raise Usage(f"--older-than {text} {error}") from error


def _purged(screen: Screen, target: Target, database: Database, seconds: float | None) -> None:
    from datetime import UTC, datetime

    from reconciler.cli.present import quarantined
    from reconciler.engine import purging

    agreed: tuple[Quarantined, ...] | None = None
    if not target.yes:
        after = database.retention.seconds if seconds is None else seconds
        now = datetime.now(UTC)
        agreed = tuple(one for one in purging.kept(database) if purging.is_due(one, now, after))
        if not agreed:
            quarantined.purged(screen, database, purging.Purged((), ()))
            return
        _agreed(screen, agreed, "Destroy these for good?")
    with screen.progress() as told:
        found = purging.purge(database, older_than=seconds, agreed=agreed, told=told)
    quarantined.purged(screen, database, found)
    if found.left:
        raise typer.Exit(4 if found.passes else 3)


def _erased(screen: Screen, target: Target, database: Database, condition: str) -> None:
    from reconciler.cli.present import quarantined
    from reconciler.engine import purging

    if not target.yes:
        _agreed(screen, purging.kept(database), f"Delete the rows where {condition} from these?")
    with screen.progress() as told:
        found = purging.erase(database, condition, told=told)
    quarantined.erased(screen, database, found)
    left = [one for one in found if one.rows is None]
    if left:
        raise typer.Exit(4 if all(one.passes for one in left) else 3)


def _agreed(screen: Screen, kept: tuple[Quarantined, ...], question: str) -> None:
    from reconciler.cli.present import quarantined
    from reconciler.errors import Usage

    if not screen.asks or screen.is_json:
        raise Usage("nobody is there to agree: this is not a terminal", hint="say so with --yes")
    screen.say_all(quarantined.lines(kept))
    if not typer.confirm(question, err=True):
        screen.note("nothing was changed")
        raise typer.Exit(3)
