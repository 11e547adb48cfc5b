"""A migration in the layout of another tool, for teams that apply with that one.

Knows where each tool looks for files and what it wraps in a transaction. Promises to write over
no file. Those tools run a file as one transaction, or one statement without: a migration of several
steps becomes as many files, one second apart, and its DOWN is spread so that taking them back newest first
runs it in order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Final, NamedTuple

from reconciler.errors import Stalled, writing
from reconciler.migrate.export_alembic import alembic
from reconciler.migrate.file import alone, render_section, timeouts_of, together
from reconciler.migrate.header import why_irreversible
from reconciler.model import Migration, Step
from reconciler.run import steps

_NOTHING = "select 1; -- nothing to do in this part"
_DBMATE = re.compile(r"^--\s*migrate:", re.MULTILINE)
_PLAN = "%syntax-version=1.0.0\n%project={project}\n"


class _Part(NamedTuple):
    """One file's worth: what goes in and what takes it back; None where this part has nothing of the kind."""

    version: str
    up: Step | None
    down: Step | None


def exported(migration: Migration, layout: str, folder: Path) -> tuple[Path, ...]:
    """Writes `migration` for a tool of `LAYOUTS` below `folder` and returns the new files.

    Raises `Stalled` when a file is there already or the tool cannot run the migration.
    """
    files = _WRITERS[layout](migration, folder)
    taken = [path for path in files if path.exists()]
    if taken:
        raise Stalled(f"{taken[0]} exists already", hint="choose another folder, or plan again")
    for path, text in files.items():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
    if layout == "sqitch":
        with writing(folder):
            _note_in_plan(migration, folder)
    return tuple(files)


def _supabase(migration: Migration, folder: Path) -> Mapping[Path, str]:
    """`VERSION_name.sql` goes in; Supabase knows no way back, so `down/` is for psql."""
    files = {
        folder / f"{part.version}_{migration.slug}.sql": _script(migration, part.up, _NOTHING)
        for part in _parts(migration, ())
    }
    if migration.down:
        files[folder / "down" / migration.filename] = render_section(migration, "down")
    return files


def _flyway(migration: Migration, folder: Path) -> Mapping[Path, str]:
    """`V…__name.sql` and `U…__name.sql`; a statement outside transactions has a `.conf` beside it."""
    files: dict[Path, str] = {}
    for part in _parts(migration):
        for letter, step in (("V", part.up), ("U", part.down)):
            if letter == "U" and not migration.down:
                continue
            path = folder / f"{letter}{part.version}__{migration.slug}.sql"
            files[path] = _script(migration, step, _NOTHING)
            if step is not None and not step.transactional:
                files[path.with_name(path.name + ".conf")] = "executeInTransaction=false\n"
    return files


def _dbmate(migration: Migration, folder: Path) -> Mapping[Path, str]:
    """`VERSION_name.sql` with two sections, each in a transaction or without."""
    if any(_DBMATE.search(statement.sql) for statement in (*migration.up, *migration.down)):
        raise Stalled("a statement holds a line “-- migrate:”, at which dbmate would cut it")
    files: dict[Path, str] = {}
    for part in _parts(migration):
        sections = []
        for name, step, nothing in (("up", part.up, _NOTHING), ("down", part.down, _no_way_back(migration))):
            option = "" if step is None or step.transactional else " transaction:false"
            body = _script(migration, step, nothing).replace("-- migrate:", "-- migrate :")
            sections.append(f"-- migrate:{name}{option}\n{body}")
        files[folder / f"{part.version}_{migration.slug}.sql"] = "\n".join(sections)
    return files


def _sqitch(migration: Migration, folder: Path) -> Mapping[Path, str]:
    """`deploy/` and `revert/` are run by psql, which takes our own sections as they are."""
    name = f"{migration.version}_{migration.slug}.sql"
    revert = render_section(migration, "down") if migration.down else _no_way_back(migration) + "\n"
    return {
        folder / "deploy" / name: render_section(migration, "up"),
        folder / "revert" / name: revert,
    }


def _note_in_plan(migration: Migration, folder: Path) -> None:
    """Appends the change to sqitch.plan, which it makes when there is none."""
    plan = folder / "sqitch.plan"
    project = re.sub(r"[^A-Za-z0-9_]+", "_", folder.resolve().name).strip("_") or "reconciler"
    text = plan.read_text(encoding="utf-8") if plan.exists() else _PLAN.format(project=project) + "\n"
    time = _time(migration.version).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = f"{migration.version}_{migration.slug} {time} reconciler <reconciler@localhost>"
    unfinished = plan.with_name(f".sqitch.plan.{os.getpid()}")
    end = "" if text.endswith("\n") else "\n"
    unfinished.write_text(f"{text}{end}{line} # {migration.slug}\n", encoding="utf-8")
    unfinished.replace(plan)


def _parts(migration: Migration, down: Sequence[Step] | None = None) -> tuple[_Part, ...]:
    """UP step n goes into part n. The tools take back the last part first, so DOWN begins in the last part
    that has any of it: its step n of m stands in part m + 1 − n.
    """
    back = tuple(reversed(steps(migration.down))) if down is None else tuple(down)
    start = _time(migration.version)
    return tuple(
        _Part((start + timedelta(seconds=number)).strftime("%Y%m%d%H%M%S"), up, way_back)
        for number, (up, way_back) in enumerate(zip_longest(steps(migration.up), back))
    )


def _script(migration: Migration, step: Step | None, nothing: str) -> str:
    if step is None:
        return nothing + "\n"
    if step.transactional:
        return "\n".join(together(step.statements, timeouts_of(migration.header)))
    return "\n".join([*alone(step.statements[0]), ""])


def _no_way_back(migration: Migration) -> str:
    """For a part without a DOWN of its own; where the whole migration has none, taking it back fails and
    says why.
    """
    if migration.down:
        return _NOTHING
    told = f"migration {migration.version} cannot be undone: {why_irreversible(migration) or ''}".replace(
        "'", "''"
    ).replace("\\", "/")
    told = " ".join(told.replace("%", "%%").replace("$", "").split())
    return f"do $$ begin raise exception '{told}'; end $$;"


def _time(version: str) -> datetime:
    return datetime.strptime(version, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


_WRITERS: Final[Mapping[str, Callable[[Migration, Path], Mapping[Path, str]]]] = {
    "supabase": _supabase,
    "flyway": _flyway,
    "dbmate": _dbmate,
    "sqitch": _sqitch,
    "alembic": alembic,
}

LAYOUTS: Final = tuple(_WRITERS)
"""The tools that we can write for."""
