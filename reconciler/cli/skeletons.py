"""`new`: commented beginnings, after asking a person who is there what the design must answer."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.engine.new import Skeleton
    from reconciler.settings import Database

Timing = StrEnum("Timing", {"before": "before", "after": "after", "instead_of": "instead of"})
OnError = StrEnum("OnError", {"raise": "raise", "queue": "queue", "log": "log"})
Command = StrEnum("Command", ["all", "select", "insert", "update", "delete"])

new = typer.Typer(help="Writes a commented skeleton.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(new, name="new")


@command(
    new,
    "reconciler new table invoices",
    "reconciler new table billing.invoices --tenant-column org_id",
    "reconciler new table currencies --no-tenant",
    name="table",
)
def new_table(
    screen: Screen,
    target: Target,
    name: Annotated[str, typer.Argument(metavar="NAME", help="table, or schema.table")],
    tenant_column: Annotated[
        str | None, typer.Option("--tenant-column", metavar="COLUMN", help="Names the tenant of each row.")
    ] = None,
    no_tenant: Annotated[bool, typer.Option("--no-tenant", help="Its rows belong to no tenant.")] = False,
) -> None:
    """Writes a table: keys, row-level security for every command, and the questions that are still open."""
    from reconciler.engine import new as skeletons

    database = _here(screen, target)
    tenant = (
        None
        if no_tenant
        else tenant_column
        or _asked(
            screen, target, "Which column names the tenant (none: nobody's)", database.tenant_column or "none"
        )
    )
    chosen = None if tenant in (None, "", "none") else tenant
    _write(screen, database, skeletons.table(name, tenant=chosen))


@command(
    new,
    "reconciler new trigger invoices set_number",
    "reconciler new trigger invoices log_change --timing after --events 'insert or update' --on-error raise",
    name="trigger",
)
def new_trigger(
    screen: Screen,
    target: Target,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="table, or schema.table")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The trigger's name.")],
    timing: Annotated[Timing | None, typer.Option("--timing", show_default=False)] = None,
    events: Annotated[
        str | None, typer.Option("--events", metavar="TEXT", help="insert or update of total …")
    ] = None,
    invariant: Annotated[
        str | None,
        typer.Option("--invariant", metavar="NAME: QUERY", help="A query that must return no row."),
    ] = None,
    on_error: Annotated[
        OnError | None, typer.Option("--on-error", help="What happens when it fails.", show_default=False)
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option("--concurrency", metavar="TEXT", help="When two transactions fire it at once."),
    ] = None,
    tenancy: Annotated[
        str | None, typer.Option("--tenancy", metavar="TEXT", help="How it meets row-level security.")
    ] = None,
) -> None:
    """Writes a trigger with its function, asking first what its design must answer."""
    from reconciler.engine import new as skeletons

    database = _here(screen, target)

    def ask(given: str | None, question: str, default: str = "") -> str:
        return str(given) if given is not None else _asked(screen, target, question, default)

    answers = skeletons.answers(
        timing=ask(
            timing, "before (check or change the row), after (touch other tables), instead of", "before"
        ),
        events=ask(events, "On which events", "insert or update"),
        invariant=ask(invariant, "Which invariant does it protect? name: query that returns no row"),
        on_error=ask(on_error, "When it fails: raise, queue or log", "raise"),
        concurrency=ask(concurrency, "What when two transactions fire it at once"),
        tenancy=ask(tenancy, "How does it meet row-level security and the tenant column"),
    )
    _write(screen, database, skeletons.trigger(table, name, answers))


@command(
    new,
    "reconciler new policy invoices own_rows",
    "reconciler new policy invoices own_rows --for select --to app --using 'org_id = app.org()'",
    name="policy",
)
def new_policy(
    screen: Screen,
    target: Target,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="table, or schema.table")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The policy's name.")],
    command: Annotated[
        Command | None, typer.Option("--for", help="Which command.", show_default=False)
    ] = None,
    role: Annotated[
        str | None, typer.Option("--to", metavar="ROLE", help="Whom it is for; default: public.")
    ] = None,
    using: Annotated[
        str | None, typer.Option("--using", metavar="CONDITION", help="Which rows are seen.")
    ] = None,
    with_check: Annotated[
        str | None, typer.Option("--with-check", metavar="CONDITION", help="Which rows may be written.")
    ] = None,
) -> None:
    """Writes a policy. Without a condition it lets nothing through."""
    from reconciler.engine import new as skeletons
    from reconciler.errors import Usage

    database = _here(screen, target)
    chosen = (
        str(command)
        if command
        else _asked(screen, target, "For which command: all, select, insert, update, delete", "all")
    )
    if chosen not in list(Command):
        raise Usage(f"there is no command {chosen}", hint=f"write one of {', '.join(Command)}")
    skeleton = skeletons.policy(
        table, name, command=chosen,
        role=role or _asked(screen, target, "To which role", "public"),
        using=using if using is not None else _asked(screen, target, "Which rows (with the tenant column)", ""),
        with_check=with_check or "",
    )  # fmt: skip
    _write(screen, database, skeleton)


@command(
    new,
    "reconciler new migration 'backfill invoice numbers'",
    name="migration",
)
def new_migration(
    screen: Screen,
    target: Target,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A few words for the file's name.")],
) -> None:
    """Writes an empty migration with the next version. Until it is filled in, running it raises."""
    from reconciler import migrate
    from reconciler.engine import new as skeletons

    database = _here(screen, target)
    existing = [one.version for one in migrate.load_directory(database.migrations)]
    skeleton = skeletons.migration(what, now=datetime.now(UTC), existing=existing)
    _write(screen, database, skeleton, database.migrations)


def _here(screen: Screen, target: Target) -> Database:
    """The database with a folder that can be written to; a repository is written to by a commit of yours."""
    from reconciler.errors import Usage

    database = target.one(screen, files=False)
    if database.source is not None:
        raise Usage(
            f"the declarations of {database.name} are in {database.source.git}",
            hint="write the file into your own checkout of it: --schema-dir DIR",
        )
    return database


def _asked(screen: Screen, target: Target, question: str, default: str) -> str:
    """The answer of a person who is there; else the default."""
    if target.yes or screen.quiet or screen.is_json or not screen.asks:
        return default
    return str(typer.prompt(question, default=default, err=True, show_default=bool(default))).strip()


def _write(screen: Screen, database: Database, skeleton: Skeleton, folder: Path | None = None) -> None:
    from reconciler.engine import new as skeletons

    path = skeletons.write(skeleton, folder or database.schema_dir)
    if screen.is_json:
        screen.document({"file": str(path)})
    else:
        screen.say(f"wrote {path}")
