"""What `audit`, `test` and `bench` look at: the schema of a SOURCE, or of the configured database, in a scratch database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reconciler.cli.options import Target, trust_of
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.engine.subject import Subject
    from reconciler.settings import Database

SourceArgument = Annotated[
    str | None,
    typer.Argument(metavar="[SOURCE]", help="URL, .sql file or schema directory.", show_default=False),
]
LiveOption = Annotated[
    bool, typer.Option("--live", help="The schema of the live database, not its declarations.")
]


def writable(folder: Path | None, *files: Path | None) -> None:
    """Raises Stalled where nothing can be written, before the work that takes minutes. Folders that are not there are made."""
    from reconciler.errors import writing

    for place in (folder, *(file.parent for file in files if file is not None)):
        if place is not None:
            with writing(place):
                place.mkdir(parents=True, exist_ok=True)
                TemporaryFile(dir=place).close()


def written(screen: Screen, file: Path, text: str) -> None:
    """Writes the file and says so."""
    from reconciler.errors import writing

    with writing(file):
        file.write_text(text, encoding="utf-8")
    screen.note(f"wrote {file}")


@contextmanager
def subject_of(
    screen: Screen,
    target: Target,
    source: str | None,
    live: bool,
    platform: Literal["postgres", "supabase"] | None,
    told: Callable[[str], None],
) -> Iterator[tuple[Subject, Database]]:
    """What is to be audited, and the configuration that goes with it. A database without a URL is its schema directory."""
    from reconciler.engine.subject import of_database, of_source
    from reconciler.errors import Usage

    if source is not None:
        if live:
            raise Usage(
                "--live means the configured database, and SOURCE something else", hint="give one of them"
            )
        database = _configured(screen, target)
        with of_source(
            source,
            where=database.shadow if database.shadow != "target" else "auto",
            platform=platform or ("supabase" if database.platform == "supabase" else None),
            told=told,
        ) as subject:
            yield subject, database
        return
    database = target.one(screen)
    if database.url is None and database.url_file is None and not live:
        with of_source(
            str(database.schema_dir), where=database.shadow if database.shadow != "target" else "auto",
            platform=platform or database.platform, exclude=database.migrations, told=told,
        ) as subject:  # fmt: skip
            yield subject, database
        return
    with of_database(database, live=live, trust=trust_of(database), told=told) as subject:
        yield subject, database


def _configured(screen: Screen, target: Target) -> Database:
    """The configuration that goes with a SOURCE: that of the one database there is, or of the named one, or the defaults."""
    from reconciler.settings import Database

    config = target.config(screen)
    if target.database is not None or len(config.databases) == 1:
        return config.database(target.database)
    return Database(name="source")
