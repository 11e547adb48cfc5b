"""The options every command shares, written once, and the one way a command is registered.

A command is a plain function. Where it has a parameter of type `Screen`, the options `--config --format --quiet --verbose`
are offered; where it has one of type `Target`, those of the contract for commands that touch a database. Promises that
every error becomes one clear message and the right exit code. Imports nothing heavy: `--help` must be quick.
"""

from __future__ import annotations

import atexit
import inspect
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from reconciler.cli.failures import reported
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.settings import Config, Database
    from reconciler.settings import Trust as TrustLevel

Function = TypeVar("Function", bound=Callable[..., None])


def _option(*names: str, metavar: str | None = None, says: str = "") -> Any:
    return typer.Option(*names, metavar=metavar, help=says, show_default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class General:
    """What every command takes."""

    config: Annotated[
        Path | None, _option("--config", metavar="FILE", says="Default: reconciler.yaml here or above.")
    ] = None
    format: Annotated[str, _option("--format", says="How results are written to standard output.")] = "text"
    quiet: Annotated[bool, _option("--quiet", "-q", says="Results only: no progress, no remarks.")] = False
    verbose: Annotated[bool, _option("--verbose", "-v", says="Every stage; tracebacks of faults.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which database, with which declarations; everything works without any file."""

    url: Annotated[
        str | None, _option("--url", metavar="URL", says="The database; DATABASE_URL is honoured.")
    ] = None
    schema_dir: Annotated[Path | None, _option("--schema-dir", metavar="DIR", says="The declarations.")] = (
        None
    )
    migrations_dir: Annotated[
        Path | None,
        _option("--migrations-dir", metavar="DIR", says="Migrations; default: in the schema dir."),
    ] = None
    schemas: Annotated[
        str | None, _option("--schemas", metavar="A,B", says="Schemas to manage, or auto.")
    ] = None
    shadow: Annotated[
        str | None,
        _option(
            "--shadow",
            "--scratch",
            metavar="WHERE",
            says="Where to rehearse: auto, embedded, target or a URL.",
        ),
    ] = None
    database: Annotated[
        str | None, _option("--database", metavar="NAME", says="Which of several configured databases.")
    ] = None
    allow: Annotated[
        str | None, _option("--allow", metavar="CODE,…|all", says="Hazards that may happen.")
    ] = None
    yes: Annotated[bool, _option("--yes", "-y", says="Do not ask.")] = False

    def config(self, screen: Screen) -> Config:
        """The configuration with these options over it."""
        from reconciler import settings

        overrides = settings.Overrides(
            self.url,
            self.schema_dir,
            self.migrations_dir,
            self.schemas,
            self.shadow,
            self.allow,
            self.database,
        )
        return settings.load(screen.config, overrides)

    def one(self, screen: Screen, *, files: bool = True) -> Database:
        """The one database that is meant; with `files` its declarations are fetched where they are in a git repository."""
        found = self.config(screen).database(self.database)
        return _fetched(screen, found) if files and found.source is not None else found

    def all(self, screen: Screen, *, files: bool = True) -> tuple[Database, ...]:
        """The databases that are meant: the named one, or all that are configured."""
        config = self.config(screen)
        found = (config.database(self.database),) if self.database else config.databases
        return tuple(_fetched(screen, one) if files and one.source is not None else one for one in found)


def _fetched(screen: Screen, database: Database) -> Database:
    from reconciler.engine.checkout import used
    from reconciler.engine.fetching import fetched

    with screen.progress() as told:
        told(f"fetch {database.source.git}" if database.source else "")
        found = fetched(database)
    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    until_the_end.enter_context(used(found))
    return found


def trust_of(database: Database) -> TrustLevel:
    """A person who runs a command has read the declarations, unless the configuration says otherwise."""
    return database.trust or "reviewed"


def command(
    app: typer.Typer, *examples: str, name: str | None = None, formats: tuple[str, ...] = ("text", "json")
) -> Callable[[Function], Function]:
    """Registers a function as a command; `examples` stand at the end of its help."""

    def register(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        groups = {key: kind for key, kind in hints.items() if kind in (Screen, Target)}
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(function).parameters.values():
            if groups.get(parameter.name) is Screen:
                parameters += _expanded(General, formats)
            elif groups.get(parameter.name) is Target:
                parameters += _expanded(Target, formats)
            else:
                kind = inspect.Parameter.KEYWORD_ONLY
                parameters.append(parameter.replace(kind=kind, annotation=hints[parameter.name]))

        def run(**given: Any) -> None:
            general = General(**{field.name: given.pop(field.name) for field in fields(General)})
            screen = Screen(
                str(general.format), quiet=general.quiet, verbose=general.verbose, config=general.config
            )
            for key, kind in groups.items():
                if kind is Screen:
                    given[key] = screen
                else:
                    given[key] = Target(**{field.name: given.pop(field.name) for field in fields(Target)})
            with reported(screen):
                function(**given)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__ = name or function.__name__
        shown = "\n\n\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)
        run.__doc__ = inspect.cleandoc(function.__doc__ or "") + (shown if examples else "")
        app.command(name or function.__name__.replace("_", "-"))(run)
        return function

    return register


def _expanded(group: type[Any], formats: tuple[str, ...]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    found = []
    for field in fields(group):
        annotation, default = hints[field.name], _default(field)
        if field.name == "format":
            kind = StrEnum("Format", {word: word for word in formats})  # type: ignore[misc]
            annotation, default = Annotated[(kind, *annotation.__metadata__)], kind("text")
        found.append(
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
        )
    return found


def _default(field: Field[Any]) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default
