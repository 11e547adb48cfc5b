"""`diff`: what separates two schemas, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import command
from reconciler.cli.planning import exit_of
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.pg import Url


@command(
    app,
    "reconciler diff empty schema                          # what a schema directory would create",
    "reconciler diff old.sql new.sql --format sql | psql   # a script that changes old into new",
    "reconciler diff $STAGING $PRODUCTION --prove --format json",
    formats=("text", "json", "sql"),
)
def diff(
    screen: Screen,
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="URL, .sql file, schema directory or empty.")
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The same, for the wanted state.")],
    prove: Annotated[
        bool, typer.Option("--prove", help="Rehearse it: up, up again, down, down again, up.")
    ] = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Drops keep their rows (quarantine form).")
    ] = False,
    down: Annotated[bool, typer.Option("--down", help="With --format sql: the way back.")] = False,
    schemas: Annotated[
        str | None, typer.Option("--schemas", metavar="A,B", help="Compare these schemas alone.")
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            "--shadow", "--scratch", metavar="WHERE", help="Where both are loaded: auto, embedded or a URL."
        ),
    ] = None,
) -> None:
    """Shows what separates two schemas, and the SQL that leads from BEFORE to AFTER and back.

    Exit 0 when they are the same, 1 when they differ, 3 when the rehearsal failed or something could not be compared.
    """
    from reconciler.catalog.scope import EVERYTHING, Scope
    from reconciler.cli.present import plan, script
    from reconciler.engine import document
    from reconciler.engine.diff import diff as engine_diff

    shown = {before: _shown(before), after: _shown(after)}
    only = frozenset(name.strip() for name in (schemas or "").split(",") if name.strip())
    scope = Scope(only) if only else EVERYTHING
    with screen.progress() as progress:
        found = engine_diff(
            before,
            after,
            where=_where(screen, shadow),
            prove=prove,
            scope=scope,
            form="quarantine" if keep_data else "plain",
            told=_redacting(progress, shown),
        )
    if screen.is_json:
        screen.document(
            {
                "before": shown[before],
                "after": shown[after],
                "postgresql": found.major,
                **document.plan_document(found.plan, found.rehearsal),
            }
        )
    elif screen.format == "sql":
        screen.raw(script.script_of(found.plan, "down" if down else "up"))
        for name in found.plan.unmodelled:
            screen.note(f"not compared, and not in this script: {name}")
    else:
        screen.say_all(plan.plan_lines(found.plan, found.rehearsal, major=found.major))
    raise typer.Exit(exit_of(found.plan, found.rehearsal))


def _shown(source: str) -> str:
    """A source as it may be printed. Raises Usage, without quoting it, for a URL that cannot be read."""
    from reconciler.engine.sources import is_url
    from reconciler.pg import Url

    return Url.parse(source).redacted if is_url(source) or "://" in source else source


def _redacting(told: Callable[[str], None], shown: dict[str, str]) -> Callable[[str], None]:
    def redacted(stage: str) -> None:
        for source, safe in shown.items():
            stage = stage.replace(source, safe)
        told(stage)

    return redacted


def _where(screen: Screen, shadow: str | None) -> str | Url:
    """The shadow: as typed, else as the configuration says when there is one for a single database, else our own."""
    from reconciler import settings
    from reconciler.errors import Usage

    if shadow is not None:
        if shadow == "target":
            raise Usage(
                "diff has no target: --shadow target means nothing here", hint="give a URL, or embedded"
            )
        return shadow
    if screen.config is None and settings.find_file(Path.cwd()) is None:
        return "auto"
    databases = settings.load(screen.config).databases
    chosen = databases[0].shadow if len(databases) == 1 else "auto"
    return "auto" if chosen == "target" else chosen
