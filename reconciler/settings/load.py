"""From file, environment and command line to one `Config`.

The later wins: defaults, `reconciler.yaml` (found upwards from the working directory), environment, command
line. `DATABASE_URL` serves a single database that has no URL of its own. Relative paths are relative to the
file, those of the command line to the working directory. Never connects, and reads no secret file: that
happens at use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from reconciler.errors import Usage
from reconciler.pg import Url
from reconciler.settings.document import Document, Place, read_document
from reconciler.settings.environment import take_environment
from reconciler.settings.explain import explained
from reconciler.settings.fields import closest, hazards
from reconciler.settings.model import Config
from reconciler.settings.repository import Repository

FILE_NAME: Final = "reconciler.yaml"
_PATHS: Final = ("url_file", "schema_dir", "migrations_dir", "token_file")


@dataclass(frozen=True, slots=True)
class Overrides:
    """The command line: `--url --schema-dir --migrations-dir --schemas --shadow --allow`, as they were typed.

    `database` says which of several configured databases is meant.
    """

    url: str | None = None
    schema_dir: Path | None = None
    migrations_dir: Path | None = None
    schemas: str | None = None
    shadow: str | None = None
    allow: str | None = None
    database: str | None = None

    def given(self) -> Iterator[tuple[str, Any]]:
        """The options that were typed, by configuration key."""
        for key in ("url", "schema_dir", "migrations_dir", "schemas", "shadow", "allow"):
            value = getattr(self, key)
            if value is not None:
                yield key, value


NOTHING: Final = Overrides()


def find_file(start: Path) -> Path | None:
    """The nearest `reconciler.yaml` in `start` or above it."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def load(
    file: Path | None = None,
    overrides: Overrides = NOTHING,
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """The configuration; without any file, one database from the command line or `DATABASE_URL`.

    Raises `Usage` with file and line, or the variable or option, of everything that is wrong.
    """
    cwd = (cwd or Path.cwd()).absolute()
    environ = os.environ if environ is None else environ
    found = (cwd / file) if file is not None else find_file(cwd)
    document = read_document(found, environ, shown=_shown(found, cwd)) if found else Document()
    _check_shape(document)
    labels: dict[Place, str] = {}
    take_environment(document, environ, labels)
    databases = document.content.setdefault("databases", [])
    if not databases:
        databases.append({})
    _take_command_line(document, overrides, cwd, labels)
    _fill_in(document, environ, labels)
    _resolve_paths(document, found.parent if found else cwd)
    try:
        config = Config.model_validate(document.content)
    except ValidationError as error:
        raise explained(error, document, labels) from None
    _check_names(config, document)
    for database in config.databases if overrides.allow is not None else ():
        if overrides.database in (None, database.name):
            database._typed = hazards(overrides.allow)
    config._file = found
    return config


def _check_shape(document: Document) -> None:
    """What the overrides rely on, before pydantic sees it: sections are mappings, databases a list of them."""
    for section in ("http", "log"):
        if document.content.get(section, ...) is None:
            del document.content[section]
        elif not isinstance(document.content.get(section, {}), dict):
            raise _at(document, (section,), f"{section} must be a mapping of keys")
    databases = document.content.get("databases")
    if databases is None:
        document.content.pop("databases", None)
        return
    if not isinstance(databases, list):
        raise _at(document, ("databases",), "databases must be a list", "write each database as: - name: …")
    for index, database in enumerate(databases):
        if not isinstance(database, dict):
            raise _at(
                document, ("databases", index), "a database must be a mapping of keys", "write - name: …"
            )


def _at(document: Document, place: Place, says: str, hint: str = "") -> Usage:
    source = document.source(place)
    return Usage(says, hint=hint, sources=(source,) if source else ())


def _take_command_line(document: Document, overrides: Overrides, cwd: Path, labels: dict[Place, str]) -> None:
    databases = document.content["databases"]
    chosen = overrides.database
    if chosen is not None:
        names = tuple(str(database.get("name")) for database in databases)
        if chosen not in names:
            raise Usage(
                f"there is no database {chosen}{closest(chosen, names)}",
                hint=f"there are: {', '.join(names)}",
            )
        indices = [names.index(chosen)]
    else:
        indices = list(range(len(databases)))
    for key, value in overrides.given():
        option = "--" + key.replace("_", "-")
        if key == "url" and len(indices) > 1:
            raise Usage(
                "--url is for one database, and several are configured", hint="say which with --database"
            )
        for index in indices:
            database = databases[index]
            if isinstance(value, Path):
                database[key] = cwd / value.expanduser()
            elif key == "allow":
                database[key] = [*_listed(database.get("allow")), *_listed(value)]
            else:
                database[key] = value
            if key == "url":
                database.pop("url_file", None)
            if key == "schema_dir":
                database.pop("source", None)  # whoever names a folder means that folder
            labels["databases", index, key] = option


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return value.split(",")
    return list(value) if isinstance(value, list | tuple) else []


def _fill_in(document: Document, environ: Mapping[str, str], labels: dict[Place, str]) -> None:
    """`DATABASE_URL`, and a name for a database that only the command line or the environment speaks of."""
    databases = document.content["databases"]
    for index, database in enumerate(databases):
        if database.get("url") and database.get("url_file"):
            raise _at(document, ("databases", index, "url_file"), "a database has url or url_file, not both")
        if not database.get("url") and not database.get("url_file") and len(databases) == 1:
            if environ.get("DATABASE_URL"):
                database["url"] = environ["DATABASE_URL"]
                labels["databases", index, "url"] = "DATABASE_URL"
            else:
                database.pop("url", None)
        if "name" not in database and ("databases", index) not in document.sources:
            database["name"] = _name_from(database.get("url"))


def _name_from(url: Any) -> str:
    try:
        name = Url.parse(url).database if isinstance(url, str) else ""
    except Usage:
        # said again, with the option it came from, by the validation
        name = ""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:63] or "database"


def _resolve_paths(document: Document, folder: Path) -> None:
    for index, database in enumerate(document.content["databases"]):
        if isinstance(database.get("source"), dict):
            _resolve_source(document, index, folder)
    sections = [document.content.get("http", {}), *document.content["databases"]]
    for section in sections:
        for key in _PATHS:
            if key == "migrations_dir" and section.get("source") is not None:
                continue  # it is in the repository, too
            value = section.get(key)
            if isinstance(value, str) and value.strip():
                section[key] = folder / Path(value.strip()).expanduser()
    for database in document.content["databases"]:
        database.setdefault("schema_dir", folder / "schema")
        audit = database.get("audit")
        fixtures = audit.get("fixtures") if isinstance(audit, dict) else None
        if isinstance(fixtures, list) and all(isinstance(one, str) and one.strip() for one in fixtures):
            audit["fixtures"] = [folder / Path(one.strip()).expanduser() for one in fixtures]


def _resolve_source(document: Document, index: int, folder: Path) -> None:
    """A repository beside the configuration is found from there; the folders in it are nowhere before it is fetched."""
    database = document.content["databases"][index]
    source = database["source"]
    for key in ("schema_dir", "migrations_dir"):
        if isinstance(database.get(key), str) and (key == "schema_dir" or ".." in Path(database[key]).parts):
            raise _at(
                document,
                ("databases", index, key),
                f"with source, {key} is a folder in the repository",
                "write source.path instead"
                if key == "schema_dir"
                else "give it from the top of the repository",
            )
    with suppress(Usage, AttributeError):  # said with its line by the validation
        found = Repository.parse(source.get("git").strip())
        if found.is_path:
            source["git"] = str(folder / found.address)
    database["schema_dir"] = Path("not fetched yet")


def _check_names(config: Config, document: Document) -> None:
    seen: dict[str, int] = {}
    for index, database in enumerate(config.databases):
        if database.name in seen:
            places = (("databases", index, "name"), ("databases", seen[database.name], "name"))
            sources = tuple(source for place in places if (source := document.source(place)))
            raise Usage(f"two databases have the name {database.name}", hint="rename one", sources=sources)
        seen[database.name] = index


def _shown(file: Path, cwd: Path) -> str:
    """The file as a person standing in `cwd` would name it."""
    return str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)
