"""Values from environment variables, over those of the file.

    RECONCILER_HTTP__LISTEN=:9000                 a key of a section
    RECONCILER_DATABASES__0__MODE=apply           a key of the first database
    RECONCILER_DATABASES__CLEARSCRUB__MODE=apply  a key of the database of that name
    RECONCILER_DATABASES__MODE=observe            a key of every database

In a name, every run of characters other than letters and digits is one underscore. Lists are written with
commas. Variables without a double underscore (RECONCILER_PG_BIN_16) are not configuration. Promises that a
variable that means nothing is an error, and that no message repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import Usage
from reconciler.settings.document import Document, Place
from reconciler.settings.fields import closest
from reconciler.settings.model import SECTIONS


def take_environment(document: Document, environ: Mapping[str, str], labels: dict[Place, str]) -> None:
    """Writes the variables into the document; `labels` says which place came from which variable."""
    for variable in sorted(environ):
        if not (variable.startswith("RECONCILER_") and "__" in variable):
            continue
        section, *rest = variable.removeprefix("RECONCILER_").lower().split("__")
        if section not in SECTIONS:
            raise Usage(
                f"{variable}: there is no section {section}{closest(section, tuple(SECTIONS))}",
                hint=f"sections are {', '.join(SECTIONS)}; unset the variable if it is not ours",
            )
        key = rest[-1]
        keys = tuple(SECTIONS[section].model_fields)
        if key not in keys:
            raise Usage(
                f"{variable}: {section} has no key {key}{closest(key, keys)}",
                hint=f"keys are {', '.join(keys)}",
            )
        for place, target in _targets(document, section, rest, variable):
            target[key] = environ[variable]
            labels[(*place, key)] = variable


def _targets(
    document: Document, section: str, rest: list[str], variable: str
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The mappings that a variable speaks of."""
    if section != "databases" and len(rest) == 1:
        yield (section,), document.content.setdefault(section, {})
        return
    if section != "databases" or len(rest) not in (1, 2):
        raise Usage(f"{variable}: this has too many parts", hint=f"write RECONCILER_{section.upper()}__KEY")
    databases = document.content.setdefault("databases", [])
    if len(rest) == 1:
        indices = list(range(len(databases)))
    elif rest[0].isdecimal():
        if int(rest[0]) == len(databases):
            databases.append({})
        indices = [int(rest[0])]
    else:
        indices = [i for i, database in enumerate(databases) if _as_variable(database.get("name")) == rest[0]]
    if not indices or indices[-1] >= len(databases):
        names = ", ".join(str(database.get("name")) for database in databases) or "none"
        raise Usage(f"{variable}: there is no such database", hint=f"databases are {names}; or use 0, 1, …")
    for index in indices:
        yield ("databases", index), databases[index]


def _as_variable(name: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
