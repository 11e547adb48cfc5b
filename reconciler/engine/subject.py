"""What an audit attacks: the schema of a source, or of a configured database, in a scratch database that holds no rows.

Promises that a source is only read. Declarations that say nothing of owners belong to a role that stands in for the one that would apply
them: an ordinary one, or on Supabase one that row-level security does not bind, as `postgres` is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler import declare
from reconciler.catalog.scope import Scope
from reconciler.declare import Declarations, DeclaredFile, TriggerDesign
from reconciler.declare.scenario import Scenario
from reconciler.engine.desired import Trust
from reconciler.engine.sources import is_url, major_of, materialised, stand_ins
from reconciler.engine.work import Told, looked, opened
from reconciler.errors import Source, Stalled, Usage
from reconciler.model import ObjectId
from reconciler.pg import Url, connect, ident
from reconciler.platforms import Platform, managed_schemas, prelude
from reconciler.settings import Database
from reconciler.shadow.materialise import load
from reconciler.shadow.scratch import Shadow, shadow

OWNER = "reconciler_owner"
"""Owns declared objects for which nobody else is named."""
_SUPABASE = re.compile(r"\bauth\s*\.\s*(?:uid|jwt|role|email|users)\b|\bservice_role\b", re.IGNORECASE)
"""What only a schema for Supabase says. Its other roles have names that others use, too."""
_BRINGS_AUTH = re.compile(
    r'\bcreate\s+schema\s+(?:if\s+not\s+exists\s+)?"?auth"?\s*(?:;|authorization|$)',
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """`start` is the scratch database, with nobody connected; `places` says where its objects are declared, `designs` what
    their authors say of triggers, `scenarios` what they want to be tried, `owner` whose those are of which nothing says so (empty: the source says it)."""

    name: str
    shadow: Shadow
    start: Url
    platform: Platform
    scope: Scope
    places: Mapping[ObjectId, Source] = field(default_factory=dict)
    designs: tuple[TriggerDesign, ...] = ()
    owner: str = ""
    scenarios: tuple[Scenario, ...] = ()


@contextmanager
def of_database(
    database: Database, *, live: bool, trust: Trust, told: Told = lambda stage: None
) -> Iterator[Subject]:
    """The declarations of a configured database as they will stand on it; with `live` its schema as it is."""
    look = looked(database, trust=trust, told=told)
    with opened(look, trust=trust, told=told) as work:
        if live:
            told("copy the live schema")
            yield Subject(database.name, work.shadow, work.copy_of_live(), database.platform, work.scope)
        else:
            start = work.declared()
            found = declare.read(database.schema_dir, exclude=database.migrations)
            yield Subject(
                database.name,
                work.shadow,
                start,
                database.platform,
                work.scope,
                found.places,
                found.designs,
                work.role,
                found.scenarios,
            )


@contextmanager
def of_source(
    source: str,
    *,
    where: str | Url = "auto",
    platform: Platform | None = None,
    exclude: Path | None = None,
    told: Told = lambda stage: None,
) -> Iterator[Subject]:
    """A URL, an .sql file or a schema directory, as `diff` takes them. Without `platform` it is seen from the source itself. `exclude` is a
    folder of migrations.

    Raises Usage for a source that cannot be read, Stalled for one PostgreSQL rejects, Waiting when a server is not there.
    """
    told("start the shadow")
    with shadow(where, major=major_of(source)) as server:
        told("load the schema")
        if is_url(source):
            start = materialised(source, server).made()
            kind = platform or _platform_at(start)
            yield Subject(Url.parse(source).redacted, server, start, kind, _scope(kind))
            return
        found = _declared(source, exclude)
        kind = platform or _platform_in(found.files)
        start, owner = _loaded(found.files, server, kind)
        kind = platform or _platform_at(
            start
        )  # what a file brings of the platform itself is the platform's, too
        yield Subject(
            source, server, start, kind, _scope(kind), found.places, found.designs, owner, found.scenarios
        )


def _scope(platform: Platform) -> Scope:
    """Everything that is not the platform's own."""
    return Scope(hidden=managed_schemas(platform), lent=managed_schemas(platform))


def _declared(source: str, exclude: Path | None) -> Declarations:
    path = Path(source)
    if path.is_dir():
        return declare.read(path, exclude=exclude or path / "migrations")
    if path.is_file():
        return declare.read_file(path)
    raise Usage(
        f"{source!r} is no database URL, no .sql file and no schema directory",
        hint="give postgresql://…, a file or a directory",
    )


def _loaded(files: Sequence[DeclaredFile], server: Shadow, platform: Platform) -> tuple[Url, str]:
    """The files in a database of their own, and who owns what they make. Where another role may not be taken on, or the files name
    the owners themselves, they are loaded as the shadow's user."""
    ways: tuple[str, ...] = ("",)
    if server.own:
        stand_ins(server, files)
        bound = "bypassrls" if platform == "supabase" else "nobypassrls"
        server.admin.execute(f"create role {ident(OWNER)} nologin {bound}")
        ways = (OWNER, "")
    refused: Stalled | None = None
    for owner in ways:
        made = server.create(owner=owner)
        with connect(made) as connection:
            script = prelude(platform, owner=owner or None)
            if script:
                connection.execute(script.encode())
        try:
            with connect(made) as connection:
                load(connection, files, role=owner or None)
        except Stalled as error:
            server.drop(made)
            refused = refused or error
        else:
            return made, owner
    assert refused is not None
    raise refused


def _platform_in(files: Sequence[DeclaredFile]) -> Platform:
    text = "\n".join(statement.sql for file in files for statement in file.statements)
    return "supabase" if _SUPABASE.search(text) and not _BRINGS_AUTH.search(text) else "postgres"


def _platform_at(database: Url) -> Platform:
    with connect(database) as connection:
        row = connection.execute(
            "select pg_catalog.to_regprocedure('auth.uid()') is not null and exists"
            " (select from pg_catalog.pg_roles as r where r.rolname = 'authenticated')"
        ).fetchone()
    return "supabase" if row and row[0] else "postgres"
