"""Names of migration files: a UTC timestamp that always grows, and a few words that say what changes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath

from reconciler.errors import Source, Usage
from reconciler.model import Change

LONGEST = 60
"""Characters of a slug: with version and ending a file name stays below 80."""

_FORMAT = "%Y%m%d%H%M%S"
_NAME = re.compile(r"(?P<version>\d{14})_(?P<slug>[a-z0-9_]+)\.sql\Z", re.ASCII)
_FIRST = ("table", "view", "materialized_view", "type", "enum", "domain", "function", "procedure", "sequence")
"""Kinds that name a migration best, most telling first; every other kind comes after them."""


def next_version(now: datetime, existing: Iterable[str]) -> str:
    """The version for `now`, or one second after the newest of `existing` where that is not earlier.

    Two plans within one second, and a clock that was set back, still give growing versions. `now` is aware.
    """
    version = now.astimezone(UTC).strftime(_FORMAT)
    newest = max(existing, default="")
    if version > newest:
        return version
    return (datetime.strptime(newest, _FORMAT).replace(tzinfo=UTC) + timedelta(seconds=1)).strftime(_FORMAT)


def slug_of(changes: Sequence[Change]) -> str:
    """A few words for the most telling change, and how many others there are.

    What comes or goes with its owner (the columns of a new table) is not counted: `create_invoices_table`,
    `alter_policy_on_invoices_and_3_more`. At most 60 characters of a–z, 0–9 and `_`.
    """
    owners = {(change.verb, change.id.schema, change.id.name) for change in changes if not _is_part(change)}
    telling = [
        change
        for change in changes
        if not (_is_part(change) and (change.verb, change.id.schema, change.id.name) in owners)
    ]
    if not telling:
        return "no_change"
    first = min(telling, key=lambda change: (_rank(change), change.verb != "create", change.id))
    more = f"_and_{len(telling) - 1}_more" if len(telling) > 1 else ""
    kind = _word(first.id.kind)
    name = _word(first.id.name) or "unnamed"
    verb = "rename" if first.was is not None else first.verb
    start, end = (f"{verb}_{kind}_on_", "") if _is_part(first) else (f"{verb}_", f"_{kind}")
    room = LONGEST - len(start) - len(end) - len(more)
    return f"{start}{name[:room].strip('_')}{end}{more}"


def version_and_slug(filename: str) -> tuple[str, str]:
    """Both parts of a migration file's name, which may have folders before it. Raises `Usage` for another
    name.
    """
    found = _NAME.match(PurePath(filename).name)
    if found is None or not _is_time(found["version"]):
        raise Usage(
            "this is not the name of a migration file",
            hint="name it YYYYMMDDHHMMSS_what_it_does.sql (time in UTC; a–z, 0–9 and _)",
            sources=(Source(filename, 1),),
        )
    return found["version"], found["slug"]


def _is_part(change: Change) -> bool:
    return bool(change.id.part) and not change.id.part.startswith("(")


def _rank(change: Change) -> tuple[bool, int]:
    kind = change.id.kind
    return _is_part(change), _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _word(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def _is_time(version: str) -> bool:
    try:
        datetime.strptime(version, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
