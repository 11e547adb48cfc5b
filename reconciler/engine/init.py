"""A new project: the first files, or a live database written as declarations.

Promises that no existing file is replaced, that no URL and no password reaches a file, and that what was written from a database
is loaded again and compared with it before anybody relies on it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler import migrate, platforms
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.engine.drift import drift
from reconciler.engine.new import Skeleton, table, write
from reconciler.engine.spread import spread
from reconciler.engine.work import Told
from reconciler.errors import Stalled, Usage
from reconciler.model import Applied, Hazard, HazardCode, Migration, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.plan.complete import complete
from reconciler.run import steps
from reconciler.settings import FILE_NAME, Overrides, Platform, load
from reconciler.shadow.scratch import shadow as shadow_server

_CONFIGURATION = """\
# What reconciler looks after. Every key: reconciler schema configuration
databases:
  - name: {name}
    # The URL comes from DATABASE_URL, or from here: url_file: FILE (its content is read at each use), url: ${{VARIABLE}}
    schema_dir: schema
    mode: observe              # observe: only look · propose: write migrations · apply: apply them
    platform: {platform}
{schemas}"""

_README = """\
# schema

What the database should look like. Every `.yaml` and `.sql` file here is a declaration; their order and their folders have no
meaning. `migrations/` holds how it came about and is never read as a declaration.

    reconciler validate        can the declarations be read?
    reconciler plan            what differs, and the rehearsed way there
    reconciler apply           go there
    reconciler drift           what does the database have that nobody declared?
    reconciler new table NAME  a commented beginning; also: trigger, policy, migration

`reconciler schema declarations` prints every key of the YAML format.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written from a database. `residue` names what is not the same when it is loaded again; empty is what we want.

    `baseline` is the version under which the objects were recorded; empty when that was not asked for.
    """

    files: tuple[Path, ...]
    objects: int
    residue: tuple[str, ...]
    baseline: str = ""


def fresh(directory: Path) -> tuple[Path, ...]:
    """The files of an empty project. Raises Usage when there is one already."""
    schema = directory / "schema"
    _refuse_taken(directory)
    files = [_configuration("app", "postgres", None), Skeleton(Path("schema", "README.md"), _README)]
    if not schema.exists() or not any(schema.iterdir()):
        example = table("notes", tenant="org_id")
        text = (
            "# An example to change or to delete: it is what this database should contain.\n" + example.text
        )
        files.append(Skeleton(Path("schema") / example.path, text))
    return tuple(write(file, directory) for file in files)


def from_database(
    source: str,
    directory: Path,
    *,
    schemas: str | None,
    shadow: str,
    baseline: bool,
    now: datetime,
    told: Told = lambda stage: None,
) -> Written:
    """Writes the database as declarations below `directory`, loads them again and compares.

    Raises Usage when there are declarations already, Stalled for objects that no statement can describe.
    """
    url = Url.parse(source)
    _refuse_taken(directory, declarations=True)
    told("read the database")
    with connect(url) as live:
        platform = _platform_of(url)
        names = tuple(part.strip() for part in (schemas or "").split(",") if part.strip())
        own = platforms.managed_schemas(platform)
        scope = Scope(frozenset(names) if names else None, own, lent=own)
        state = catalog.read(live, scope)
        role = live.info.user
        major = live.info.server_version // 10000
    told("start the shadow")
    with shadow_server(shadow, major=major, target=url) as server, connect(server.create()) as scratch:
        empty = catalog.read(scratch, scope)
    try:
        statements = complete(Context(empty, state, role))
    except Unplannable as reason:
        raise Stalled(f"this database cannot be written as declarations: {reason}") from None
    configured = names or tuple(sorted(_schemas_of(state) - own))
    files = [
        _configuration(url.database, platform, configured), Skeleton(Path("schema", "README.md"), _README),
        *(Skeleton(Path("schema") / path, text) for path, text in spread(statements, state).items()),
    ]  # fmt: skip
    told("load what was written")
    differences = _loaded_again(files, source, shadow)
    written = tuple(write(file, directory) for file in files)
    version = ""
    if baseline and not differences:
        version = _recorded(url, statements, state, now)
    return Written(written, len(state.digests), differences, version)


def _loaded_again(files: Iterable[Skeleton], source: str, shadow: str) -> tuple[str, ...]:
    """What differs between the database and these files, tried in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="reconciler-init-") as folder:
        place = Path(folder)
        for file in files:
            write(file, place)
        wanted = Overrides(url=source, shadow=shadow)
        found = drift(load(place / FILE_NAME, wanted, cwd=place, environ={}).database())
        sentences = residue(found.before, found.after)
        extra = tuple(f"{id.kind} {id} was not written" for id in found.extra)
        strange = tuple(f"{name}: not compared" for name in found.unmodelled)
        return (*sentences, *extra, *strange)


def _recorded(url: Url, statements: tuple[Statement, ...], state: Snapshot, now: datetime) -> str:
    """Enters the objects into the inventory and one row, which ran nothing, into the history. Returns its version."""
    whole = [id for id, fact in state.facts.items() if fact.parent is None]
    with connect(url) as live:
        migrate.ensure(live)
        rows: tuple[Applied, ...] = migrate.read(live)
        version = migrate.next_version(now, [row.version for row in rows])
        up = migrate.in_form(statements)
        if not up:
            return ""
        reason = Hazard(HazardCode.IRREVERSIBLE, "it was here before reconciler")
        last = up[-1]
        up = (*up[:-1], Statement(last.sql, last.reason, last.source, last.transactional, hazards=(reason,)))
        made = Migration(version, "baseline", up, (), state.fingerprint, state.fingerprint)
        count = len(steps(up))
        with live.transaction():
            migrate.adopt(live, whole, version)
            migrate.record(live, made, "up", done=count, steps=count)
    return version


def _configuration(name: str, platform: Platform, schemas: tuple[str, ...] | None) -> Skeleton:
    chosen = schemas is not None and set(schemas) != {"public"}
    line = f"    schemas: [{', '.join(_yaml(name) for name in schemas or ())}]\n" if chosen else ""
    safe = "".join(c if (c.isalnum() and c.isascii()) or c in "_-." else "-" for c in name).strip("-._")
    return Skeleton(
        Path(FILE_NAME), _CONFIGURATION.format(name=safe or "app", platform=platform, schemas=line)
    )


def _yaml(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _schemas_of(state: Snapshot) -> set[str]:
    found = {id.schema for id in state.digests if id.schema}
    return found | {id.name for id in state.digests if id.kind == "schema"} or {"public"}


def _platform_of(url: Url) -> Platform:
    """Whose database this is, told by its roles."""
    with connect(url) as live:
        rows = live.execute("select r.rolname::text from pg_catalog.pg_roles as r order by 1").fetchall()
        auth = live.execute("select from pg_catalog.pg_namespace as n where n.nspname = 'auth'").fetchone()
    there = {row[0] for row in rows}
    return "supabase" if auth is not None and set(platforms.roles("supabase")) <= there else "postgres"


def _refuse_taken(directory: Path, *, declarations: bool = False) -> None:
    if (directory / FILE_NAME).exists():
        raise Usage(f"{directory / FILE_NAME} exists already", hint="this is a project; nothing was written")
    schema = directory / "schema"
    if declarations and schema.is_dir() and any(schema.iterdir()):
        raise Usage(f"{schema} is not empty; nothing was written", hint="name another directory")
