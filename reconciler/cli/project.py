"""`init`, `new` and `validate`: the files of a project."""

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
    app,
    "reconciler validate",
    "reconciler validate --schema-dir db/schema --format json",
)
def validate(screen: Screen, target: Target) -> None:
    """Reads the declarations alone, without any database. Exit 0 when they can be read, 2 with every fault when not."""
    from reconciler import declare, migrate

    documents = []
    for database in target.all(screen):
        found = declare.read(database.schema_dir, exclude=database.migrations)
        files = migrate.load_directory(database.migrations)
        count = sum(len(file.statements) for file in found.files)
        documents.append(
            {
                "database": database.name,
                "schema_dir": str(database.schema_dir),
                "files": len(found.files),
                "statements": count,
                "objects": len(found.places),
                "triggers_designed": len(found.designs),
                "migrations": len(files),
                "digest": found.digest,
            }
        )
        if not screen.is_json:
            screen.say(
                f"{database.schema_dir}: {len(found.files)} files, {count} statements, {len(files)} migrations: valid"
            )
    if screen.is_json:
        screen.document({"valid": True, "databases": documents})


@command(
    app,
    "reconciler init                                    # reconciler.yaml and schema/ here",
    "reconciler init --from $DATABASE_URL               # the live database as declarations",
    "reconciler init --from $DATABASE_URL --baseline    # and remember that reconciler looks after them",
    formats=("text", "json", "sql"),
)
def init(
    screen: Screen,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where; default: here.")] = Path(),
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Write this database as declarations.")
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option("--baseline", help="Also record in that database that its objects are ours to manage."),
    ] = False,
    schemas: Annotated[
        str | None, typer.Option("--schemas", metavar="A,B", help="Write these schemas alone.")
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option("--shadow", "--scratch", metavar="WHERE", help="Where what was written is loaded."),
    ] = None,
) -> None:
    """Begins a project. Files that exist are never overwritten.

    With --from, what was written is loaded and compared with the database: exit 3 when the two are not the same.
    """
    from reconciler.engine import init as engine_init
    from reconciler.errors import Usage

    if source is None:
        if baseline:
            raise Usage("--baseline needs a database", hint="reconciler init --from URL --baseline")
        written = engine_init.fresh(directory)
        result = None
    else:
        with screen.progress() as told:
            result = engine_init.from_database(
                source, directory, schemas=schemas, shadow=shadow or "auto", baseline=baseline,
                now=datetime.now(UTC), told=told,
            )  # fmt: skip
        written = result.files
    if screen.is_json:
        screen.document(
            {
                "files": [str(file) for file in written],
                "same": None if result is None else not result.residue,
                "residue": [] if result is None else list(result.residue),
                "objects": 0 if result is None else result.objects,
                "baseline": None if result is None else result.baseline or None,
            }
        )
    else:
        screen.say(*(f"wrote {file}" for file in written))
        if result is None:
            screen.say("next: reconciler validate, then reconciler plan --url postgresql://…")
        elif not result.residue:
            screen.say(f"loaded again: the same {result.objects} objects, with equal fingerprints")
        else:
            screen.say("loaded again, this is not the same:", *(f"  {line}" for line in result.residue))
        if result is not None and result.baseline:
            screen.say(f"recorded as {result.baseline}: reconciler looks after these objects now")
    raise typer.Exit(3 if result is not None and result.residue else 0)


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

    database = target.one(screen)
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

    database = target.one(screen)

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

    database = target.one(screen)
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

    database = target.one(screen)
    existing = [one.version for one in migrate.load_directory(database.migrations)]
    skeleton = skeletons.migration(what, now=datetime.now(UTC), existing=existing)
    _write(screen, database, skeleton, database.migrations)


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
