"""What `diff` compares: a URL, an .sql file, a schema directory, or nothing, each as a scratch database.

Promises that a source is only read, never changed, and that what stands in the scratch database is what the source says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from reconciler import declare
from reconciler.catalog import confidential
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.engine.copy import copied, database_owner, replicate_roles
from reconciler.errors import Usage
from reconciler.model import Snapshot
from reconciler.pg import Url, connect, ident
from reconciler.shadow import subscriptions
from reconciler.shadow.materialise import load
from reconciler.shadow.scratch import Shadow


@dataclass(frozen=True, slots=True)
class Materialised:
    """What was read from a source. `made` gives it as a scratch database nobody is connected to, copied when it is first
    asked for. `secrets` are salted hashes, `owner` is who owns the source's own database.
    """

    made: Callable[[], Url]
    snapshot: Snapshot
    owner: str = ""
    secrets: confidential.Hashes = field(default_factory=dict)


def is_url(source: str) -> bool:
    return source.startswith(("postgres://", "postgresql://")) or (" " in source.strip() and "=" in source)


def major_of(*sources: str) -> int | None:
    """The major version of the first source that is a database; None when none is."""
    for source in sources:
        if is_url(source):
            with connect(Url.parse(source)) as connection:
                return connection.info.server_version // 10000
    return None


def sees_connections(shadow: Shadow, *sources: str) -> bool:
    """Whether the connection strings of subscriptions may be read wherever these sources stand, or will stand."""
    seen = [subscriptions.readable(shadow.admin)]
    for source in sources:
        if is_url(source):
            with connect(Url.parse(source)) as connection:
                seen.append(subscriptions.readable(connection))
    return all(seen)


def materialised(source: str, shadow: Shadow, scope: Scope = EVERYTHING, salt: str = "") -> Materialised:
    """The source in a scratch database on `shadow`, loaded as the shadow URL's user."""
    if is_url(source):
        live = Url.parse(source)
        with connect(live) as connection:
            wanted = catalog.read(connection, scope)
            hidden = confidential.hashes(connection, scope, salt)
            replicate_roles(connection, shadow)
            owner = database_owner(connection, shadow)

        def copy() -> Url:
            with connect(live) as connection:
                return copied(connection, live, wanted, shadow, scope)

        return Materialised(cache(copy), wanted, owner, hidden)
    database = shadow.create()
    files: list[declare.DeclaredFile] = []
    path = Path(source)
    if source == "empty":
        pass
    elif path.is_dir():
        files = list(declare.read(path, exclude=path / "migrations").files)
    elif path.is_file():
        text = path.read_text(encoding="utf-8")
        files = [declare.read_sql(text, str(path))]
    else:
        raise Usage(
            f"{source!r} is no database URL, no .sql file and no schema directory",
            hint="give postgresql://…, a file, a directory, or the word empty",
        )
    if shadow.own:
        stand_ins(shadow, files)
    with connect(database) as connection:
        load(connection, files)
    with connect(database) as connection:
        found = catalog.read(connection, scope)
        return Materialised(lambda: database, found, secrets=confidential.hashes(connection, scope, salt))


def stand_ins(shadow: Shadow, files: Sequence[declare.DeclaredFile]) -> None:
    """Stands in for the roles that the files grant to and nobody made: on a server of our own they do no harm."""
    made = {role for file in files for role in _created(file)}
    for role in sorted(declare.roles_named(files) - made):
        there = shadow.admin.execute("select from pg_catalog.pg_roles where rolname = %s", (role,)).fetchone()
        if there is None:
            shadow.admin.execute(f"create role {ident(role)} nologin")


def _created(file: declare.DeclaredFile) -> Iterator[str]:
    """The roles that the file creates itself; inside a DO block too, so by the words alone."""
    for statement in file.statements:
        for match in re.finditer(
            r'\bcreate\s+(?:role|user|group)\s+("(?:[^"]|"")+"|[\w$]+)', statement.sql, re.IGNORECASE
        ):
            name = match[1]
            yield name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
