"""The statements that create a whole database, as files a person would have written: one per table, view and group.

Takes off what only a migration needs (guards, `if not exists`, drops before a create). Pure text; the loader finds the order
between the files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from reconciler.model import ObjectId, Snapshot, Statement

_GUARD = re.compile(
    r"\Ado (?P<tag>\$\w*\$)\nbegin\n  if .+? then\n(?P<body>    .*);\n  end if;\nend\n(?P=tag)\Z", re.DOTALL
)
_IF_NOT = re.compile(
    r"\A(create (?:unlogged |unique |materialized |foreign )*(?:table|index|sequence|view|schema|collation|statistics"
    r"|server|user mapping)) if not exists ",
)
_OR_REPLACE = re.compile(r"\Acreate or replace (?=(?:function|procedure|view|trigger|aggregate|rule)\b)")
_TYPES = frozenset({"enum", "domain", "composite", "range", "collation"})
_ALONE = {"table": "tables", "foreign_table": "tables", "view": "views", "materialized_view": "views"}
_ROUTINES = frozenset({"function", "procedure", "aggregate"})
_TAKEN = frozenset({"tables", "views", "functions", "migrations"})


def spread(statements: Sequence[Statement], state: Snapshot) -> dict[Path, str]:
    """Paths below the schema directory, and their content, in a stable order."""
    files: dict[Path, list[str]] = {}
    names: dict[str, Path] = {}
    for statement in statements:
        sql = plain(statement.sql)
        if sql is None:
            continue
        path = _path(statement.subject, state)
        # two names may become one on a file system that ignores case
        path = names.setdefault(str(path).lower(), path)
        files.setdefault(path, []).append(sql)
    return {path: _text(found) for path, found in sorted(files.items())}


def plain(sql: str) -> str | None:
    """A statement as a declaration would say it; None for one that only makes room for another."""
    guard = _GUARD.match(sql)
    if guard is not None:
        sql = "\n".join(
            line[4:] if line.startswith("    ") and line.strip() else line
            for line in guard["body"].split("\n")
        )
    if sql.startswith(("drop ", "set local check_function_bodies")):
        return None
    return _OR_REPLACE.sub("create ", _IF_NOT.sub(r"\1 ", sql))


def _path(subject: ObjectId | None, state: Snapshot) -> Path:
    if subject is None:
        return Path("other.sql")
    top = subject
    while (fact := state.facts.get(top)) is not None and fact.parent is not None:
        top = fact.parent
    kind, schema = top.kind, top.schema
    if kind == "extension":
        return Path("extensions.sql")
    if kind == "schema":
        return Path("schemas.sql")
    folder = Path() if schema in ("", "public") else Path(_safe(schema) + ("_" if schema in _TAKEN else ""))
    if kind in _ALONE:
        return folder / _ALONE[kind] / f"{_safe(top.name)}.sql"
    if kind in _ROUTINES:
        return folder / "functions" / f"{_safe(top.name)}.sql"
    if kind in _TYPES:
        return folder / "types.sql"
    return folder / (f"{kind}s.sql" if schema else "other.sql")


def _safe(name: str) -> str:
    """A name as part of a path: what a file system might read differently becomes an underscore."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name) or "_"


def _text(statements: Sequence[str]) -> str:
    """One after another, an empty line between them; short ones of a kind stand together."""
    lines: list[str] = []
    previous = ""
    for sql in statements:
        word = sql.split(" ", 1)[0]
        if lines and not (word == previous and "\n" not in sql and word in ("grant", "revoke", "comment")):
            lines.append("")
        # a comment at the end would swallow the semicolon
        lines.append(sql + ("\n;" if "--" in sql.rsplit("\n", 1)[-1] else ";"))
        previous = word
    return "\n".join(lines) + "\n"
