"""`plan`: the rehearsed way from the live database to its declarations, written as a migration."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.app import app
from reconciler.cli.failures import DENIED, MISSING_RIGHT
from reconciler.cli.options import Target, command, trust_of
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.engine.planning import Proposal
    from reconciler.model import Migration, Plan, Rehearsal
    from reconciler.settings import Database

_FOLDERS = {
    "supabase": "supabase/migrations",
    "flyway": "sql",
    "dbmate": "db/migrations",
    "sqitch": ".",
    "alembic": "alembic/versions",
}
"""Where each tool looks, seen from the working directory, unless its own configuration says otherwise."""


@command(
    app,
    "reconciler plan                                   # write the next migration",
    "reconciler plan --check                           # in a pull request: exit 1 when anything is pending",
    "reconciler plan --url $DATABASE_URL --schema-dir db/schema --out db/migrations",
    "reconciler plan --export flyway --out sql         # for a team that applies with another tool",
    formats=("text", "json", "sql"),
)
def plan(
    screen: Screen,
    target: Target,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 when anything is pending.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the migration is written.")
    ] = None,
    phased: Annotated[
        bool, typer.Option("--phased", help="A removed column is nullable for one cycle first.")
    ] = False,
    export: Annotated[
        str | None,
        typer.Option("--export", metavar="LAYOUT", help="supabase, flyway, dbmate, sqitch or alembic."),
    ] = None,
    audit: Annotated[
        bool,
        typer.Option("--audit", help="Attack the state before and after, too; the rules are always asked."),
    ] = False,
    down: Annotated[bool, typer.Option("--down", help="With --format sql: the way back.")] = False,
) -> None:
    """Plans and rehearses the way from the live database to the declarations, and writes it as a migration.

    Changes nothing on the database. Exit 0; with --check 1 when anything is pending; 3 when the rehearsal failed or something
    could not be compared, or when the change adds a finding of the audit that nobody allowed: then no file is written.
    """
    from reconciler.cli.present import plan as lines
    from reconciler.cli.present import script
    from reconciler.engine.planning import propose
    from reconciler.errors import Usage
    from reconciler.migrate.export import LAYOUTS

    if export is not None and export not in LAYOUTS:
        raise Usage(f"there is no layout {export}", hint=f"layouts are {', '.join(LAYOUTS)}")
    database = target.one(screen)
    with screen.progress() as told:
        found = propose(database, trust=trust_of(database), told=told, phases=phased, attacks=audit)
    code = exit_of(found.plan, found.rehearsal)
    refused = adds_findings(found, database.allow)
    if refused:
        code = 3
    waiting = _pending(database)
    files: tuple[Path, ...] = ()
    if not check and code != 3 and found.migration is not None:
        if export is not None:
            files = _exported(found.migration, export, out)
        elif database.source is not None and out is None:
            screen.note(f"nothing was written: this is {database.origin}; give --out DIR")
        else:
            files = _written(screen, found.migration, waiting, out or database.migrations)
    if screen.is_json:
        screen.document({**proposal_document(found, files), "pending": [one.filename for one in waiting]})
    elif screen.format == "sql":
        screen.raw(script.script_of(found.plan, "down" if down else "up"))
    else:
        screen.say_all(lines.plan_lines(found.plan, found.rehearsal, major=found.major))
        screen.say_all(lines.extra_lines(found.extra))
        screen.say_all(lines.row_lines(found.rows))
        for one in waiting:
            screen.note(f"not applied yet: {one.filename}")
        for line in refused:
            screen.note(f"refused: {line}", style="bold red")
        if refused:
            screen.note(
                "  → change the declaration, exempt the finding in the configuration, or --allow ADDS_FINDING"
            )
        if found.rehearsal is not None and any(DENIED in line for line in found.rehearsal.residue):
            screen.note(MISSING_RIGHT)
    for file in files:
        screen.note(f"wrote {file}")
    if check and code == 0 and waiting:
        code = 1
    raise typer.Exit(code if check or code == 3 else 0)


def proposal_document(found: Proposal, files: tuple[Path, ...]) -> dict[str, Any]:
    """What `plan` and `apply` say about a proposal."""
    from reconciler.engine import document

    migration = found.migration
    shown = document.plan_document(found.plan, found.rehearsal)
    return {
        "database": found.database,
        "postgresql": found.major,
        **shown,
        "in_sync": shown["in_sync"] and not found.extra,
        "extra": document.identities(found.extra),
        "notes": [*shown["notes"], *found.notes],
        "findings": [document.finding(one) for one in found.added],
        "rows": document.answers(found.rows),
        "migration": None
        if migration is None
        else {
            "version": migration.version,
            "slug": migration.slug,
            "filename": migration.filename,
            "checksum": migration.checksum,
            "files": [str(file) for file in files],
        },
    }


def _pending(database: Database) -> tuple[Migration, ...]:
    from reconciler.engine import looking

    return looking.pending(database)


def _exported(migration: Migration, layout: str, out: Path | None) -> tuple[Path, ...]:
    """The files of another tool, where it looks for them by default; never among our own migrations."""
    from reconciler.migrate.export import exported

    return exported(migration, layout, out or Path(_FOLDERS[layout]))


def _written(
    screen: Screen, migration: Migration, waiting: tuple[Migration, ...], folder: Path
) -> tuple[Path, ...]:
    """The files of a new migration; none when a pending one says the same already."""
    from reconciler import migrate

    for one in waiting:
        if [statement.sql for statement in one.up] == [statement.sql for statement in migration.up]:
            screen.note(f"{one.filename} holds this plan already; nothing was written")
            return ()
    if waiting:
        screen.note("a new plan starts from the live state: it does not count on the migrations that wait")
    return (migrate.write(migration, folder),)


def adds_findings(found: Proposal, allowed: Collection[str]) -> tuple[str, ...]:
    """What the plan adds to the audit, unless that is allowed."""
    from reconciler.model import HazardCode

    code = HazardCode.ADDS_FINDING
    if code in allowed:
        return ()
    return tuple(hazard.consequence for hazard in found.plan.hazards if hazard.code == code)


def exit_of(plan: Plan, rehearsal: Rehearsal | None) -> int:
    """3 beats 1: what could not be compared or did not pass needs a person."""
    if plan.unmodelled or (rehearsal is not None and not rehearsal.passed):
        return 3
    return 1 if plan.changes or plan.up else 0
