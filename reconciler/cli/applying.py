"""`apply` and `rollback`: what changes a database, after it was shown and somebody agreed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command, trust_of
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.migrate import Progress
    from reconciler.model import Form, Migration
    from reconciler.settings import Database


@command(
    app,
    "reconciler apply                                   # shows the plan, asks, applies",
    "reconciler apply --yes --format json               # in a pipeline",
    "reconciler apply 20260301120000 --yes --allow DELETES_DATA",
)
def apply(
    screen: Screen,
    target: Target,
    versions: Annotated[
        list[str] | None, typer.Argument(metavar="[VERSION]...", help="These migrations only.")
    ] = None,
    destroy: Annotated[
        bool,
        typer.Option(
            "--destroy", help="Drops destroy instead of keeping rows (DELETES_DATA must be allowed too)."
        ),
    ] = False,
) -> None:
    """Applies the pending migrations; without any, plans, writes the migration and applies it.

    Everything is rehearsed on a shadow first. Exit 0 done, 3 refused or failed (nothing half done), 4 try again later.
    """
    from reconciler.cli.present import migrations
    from reconciler.cli.stopping import stoppable
    from reconciler.engine import applying, document

    database = target.one(screen)
    _told_of_a_pause(screen, database)
    chosen = tuple(versions or ())
    if not target.yes:
        agreed = _shown_and_agreed(screen, database, chosen, destroy=destroy)
        if agreed is None:
            return
        chosen = agreed
    with stoppable(database.grace.seconds) as stop, screen.progress() as told:
        done = applying.apply(
            database,
            chosen,
            destroy=destroy,
            trust=trust_of(database),
            told=told,
            on_statement=_each(told),
            on_note=screen.note,
            stop=stop,
        )
    if screen.is_json:
        screen.document({"database": database.name, "applied": [document.applied(row) for row in done]})
        return
    screen.say_all(migrations.applied_lines(done))
    if not done:
        screen.say("Nothing to apply.")


@command(
    app,
    "reconciler rollback                                # the newest applied migration",
    "reconciler rollback --steps 3 --yes",
    "reconciler rollback --to 20260301120000            # everything after that version",
)
def rollback(
    screen: Screen,
    target: Target,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="Take back what came after it; 0: all.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", min=1, help="Take back the newest N.")
    ] = None,
) -> None:
    """Runs the DOWN of applied migrations, newest first, with the same care as their UP.

    Each DOWN is rehearsed on a shadow first. Exit 0 done, 3 refused or failed, 4 try again later.
    """
    from reconciler.cli.present import migrations
    from reconciler.cli.stopping import stoppable
    from reconciler.engine import applying, document
    from reconciler.errors import Usage

    if to is not None and steps is not None:
        raise Usage("--to and --steps say two things", hint="give one of them")
    database = target.one(screen)
    _told_of_a_pause(screen, database)
    if not target.yes:
        _must_ask(screen)
        screen.say_all(migrations.downs_lines(_to_take_back(database, to, steps)))
        if not typer.confirm("Run these?", err=True):
            screen.note("nothing was changed")
            raise typer.Exit(3)
    with stoppable(database.grace.seconds) as stop, screen.progress() as told:
        done = applying.rollback(
            database,
            to=to,
            steps_back=steps,
            told=told,
            on_statement=_each(told),
            on_note=screen.note,
            stop=stop,
        )
    if screen.is_json:
        screen.document({"database": database.name, "applied": [document.applied(row) for row in done]})
    else:
        screen.say_all(migrations.applied_lines(done))


def _shown_and_agreed(
    screen: Screen, database: Database, versions: tuple[str, ...], *, destroy: bool
) -> tuple[str, ...] | None:
    """Shows what would run and asks. What is agreed to is a file, and that file alone is applied; None when nothing is due."""
    from reconciler import migrate
    from reconciler.cli.planning import exit_of
    from reconciler.cli.present import migrations, plan
    from reconciler.engine import looking
    from reconciler.engine.consent import NEEDS_CONSENT
    from reconciler.engine.phases import in_phases
    from reconciler.engine.planning import propose

    _must_ask(screen)
    waiting = [one for one in looking.pending(database) if not versions or one.version in versions]
    if waiting:
        screen.say_all(migrations.ups_lines(waiting))
        _agreed(screen)
        return tuple(one.version for one in waiting)
    if versions:
        return versions
    with screen.progress() as told:
        slowly = in_phases(database) and not destroy
        form: Form = "plain" if destroy else "quarantine"
        found = propose(database, trust=trust_of(database), told=told, phases=slowly, form=form)
    screen.say_all(plan.plan_lines(found.plan, found.rehearsal, major=found.major))
    screen.say_all(plan.row_lines(found.rows))
    if exit_of(found.plan, found.rehearsal) == 3:
        raise typer.Exit(3)
    if found.migration is None:
        return None
    missing = {h.code for h in found.plan.hazards if h.code in NEEDS_CONSENT} - set(database.allow)
    if missing:
        screen.note(f"this needs a person's consent: --allow {','.join(sorted(missing))}", style="red")
        raise typer.Exit(3)
    _agreed(screen)
    screen.note(f"wrote {migrate.write(found.migration, database.migrations)}")
    return (found.migration.version,)


def _told_of_a_pause(screen: Screen, database: Database) -> None:
    """It does not bind whoever types a command; they should know of it before they agree to anything."""
    from reconciler.engine import suspending

    paused = suspending.seen(database)
    if paused is not None:
        screen.note(suspending.sentence(paused), style="yellow")


def _agreed(screen: Screen) -> None:
    if not typer.confirm("Apply this?", err=True):
        screen.note("nothing was changed")
        raise typer.Exit(3)


def _must_ask(screen: Screen) -> None:
    from reconciler.errors import Usage

    if not screen.asks or screen.is_json:
        raise Usage("nobody is there to agree: this is not a terminal", hint="say so with --yes")


def _to_take_back(database: Database, to: str | None, steps: int | None) -> Sequence[Migration]:
    from reconciler import migrate
    from reconciler.engine import looking

    rows = looking.standing(looking.history(database))
    chosen = [row for row in rows if row.version > to] if to is not None else list(rows[: steps or 1])
    return [migrate.restored(row) for row in chosen]


def _each(told: Callable[[str], None]) -> Callable[[Progress], None]:
    def on_statement(progress: Progress) -> None:
        what = progress.statement.reason or progress.statement.sql.splitlines()[0]
        told(f"{progress.version} {progress.direction} {progress.number}/{progress.total}: {what}")

    return on_statement
