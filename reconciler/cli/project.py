"""`init` and `validate`: the files of a project."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen


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
