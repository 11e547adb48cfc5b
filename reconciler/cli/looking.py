"""`status`, `drift`, `history` and `show`: what is, and what was."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command, trust_of
from reconciler.cli.screen import Screen


@command(
    app,
    "reconciler status",
    "reconciler status --database billing --format json",
    "reconciler status --quiet || page-somebody            # exit 1 when a condition is not as wished",
)
def status(screen: Screen, target: Target) -> None:
    """Shows the conditions of every configured database.

    Exit 0 when all are as wished, 1 when one is not, 3 or 4 when that could not be found out.
    """
    from reconciler.cli.present import conditions
    from reconciler.engine import looking

    found = []
    for database in target.all(screen, files=False):
        with screen.progress() as told:
            found.append(looking.look(database, trust=trust_of(database), told=told))
    if screen.is_json:
        screen.document({"databases": [conditions.status_document(one, code) for one, code in found]})
    else:
        for one, _ in found:
            screen.say_all(conditions.status_lines(one))
    raise typer.Exit(looking.gravest(code for _, code in found))


@command(
    app,
    "reconciler drift",
    "reconciler drift --format json | jq '.changes[].id'",
    "reconciler drift --url $DATABASE_URL --schema-dir schema --schemas public,billing",
)
def drift(screen: Screen, target: Target) -> None:
    """Shows what differs between the database and its declarations, object by object.

    A minus is what the database has, a plus what is declared. Exit 0 in sync, 1 drifted, 3 when something cannot be compared.
    """
    from reconciler.cli.present import objects, plan
    from reconciler.engine import document
    from reconciler.engine.drift import as_declared
    from reconciler.engine.drift import drift as engine_drift

    database = target.one(screen)
    with screen.progress() as told:
        found = engine_drift(database, trust=trust_of(database), told=told)
    drifted = bool(found.changes or found.extra)
    if screen.is_json:
        screen.document(
            {
                "database": found.database,
                "in_sync": not drifted and not found.unmodelled,
                "changes": [objects.detail(c, found.before, found.after) for c in found.changes],
                "extra": document.identities(found.extra),
                "unmodelled": list(found.unmodelled),
            }
        )
    else:
        screen.say_all(objects.changed_objects(found.changes, found.before, found.after))
        screen.say_all(plan.extra_lines(found.extra))
        screen.say_all(plan.unmodelled_lines(found.unmodelled))
        if not drifted and not found.unmodelled:
            screen.say(f"No drift: {as_declared(database)}.")
    raise typer.Exit(3 if found.unmodelled else int(drifted))


@command(
    app,
    "reconciler history",
    "reconciler history --url $DATABASE_URL --format json",
)
def history(screen: Screen, target: Target) -> None:
    """Shows what was applied to the database and taken back: when, by whom, how long it took."""
    from reconciler.cli.present import migrations
    from reconciler.engine import document, looking

    database = target.one(screen, files=False)
    rows = looking.history(database)
    if screen.is_json:
        screen.document({"database": database.name, "history": [document.applied(row) for row in rows]})
    else:
        screen.say_all(migrations.history_lines(rows))


@command(
    app,
    "reconciler show 20260301120000",
    "reconciler show 20260301120000 --down > undo.sql      # a script that psql runs as it is",
)
def show(
    screen: Screen,
    target: Target,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Its first digits are enough.")],
    up: Annotated[bool, typer.Option("--up", help="The UP alone, as a script for psql.")] = False,
    down: Annotated[bool, typer.Option("--down", help="The DOWN alone, as a script for psql.")] = False,
) -> None:
    """Prints a migration: as it was applied when it was, else from its file."""
    from reconciler import migrate
    from reconciler.cli.present import migrations
    from reconciler.engine import document, looking
    from reconciler.errors import Stalled, Usage

    if up and down:
        raise Usage("--up and --down together are two scripts", hint="give one, or none for the whole file")
    found = looking.show(target.one(screen), version)
    migration = found.migration
    if found.edited:
        screen.note(f"{migration.filename} was edited after it was applied; this is what was applied")
    for consent in found.row.consents if found.row else ():
        screen.note(str(consent))
    if found.approval is not None:
        codes = ", ".join(found.approval.codes)
        screen.note(
            f"{codes} approved by {found.approval.who}, {found.approval.at}{'' if found.holds else ': void, the file was edited since'}"
        )
    if screen.is_json:
        row = document.applied(found.row) if found.row else None
        screen.document(
            {
                "origin": found.origin,
                "edited": found.edited,
                "applied": row,
                "approval": migrations.approval(found.approval, holds=found.holds),
                **migrations.migration_document(migration),
            }
        )
    elif down and not migration.down:
        raise Stalled(
            f"migration {migration.version} has no DOWN", hint="it says why: reconciler show without --down"
        )
    elif up or down:
        screen.raw(migrate.render_section(migration, "up" if up else "down"))
    else:
        screen.raw(migrate.render(migration))
