"""Migrations and rows of the history, as lines for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.text import Text

from reconciler.cli.present.plan import statement_lines
from reconciler.engine.document import statements
from reconciler.migrate import Approval, state_of
from reconciler.model import Applied, Migration


def approval(found: Approval | None, *, holds: bool) -> dict[str, Any] | None:
    """Who approved a file beforehand, and whether that is still worth something."""
    if found is None:
        return None
    return {
        "codes": list(found.codes),
        "who": found.who,
        "at": found.at,
        "checksum": found.checksum,
        "holds": holds,
    }


def migration_document(migration: Migration) -> dict[str, Any]:
    return {
        "version": migration.version,
        "slug": migration.slug,
        "filename": migration.filename,
        "checksum": migration.checksum,
        "before": migration.before,
        "after": migration.after,
        "header": dict(migration.header),
        "up": statements(migration.up, ()),
        "down": statements(migration.down, ()),
    }


def applied_lines(rows: Iterable[Applied]) -> Iterator[Text]:
    """One line per run, as it ended."""
    for row in rows:
        whole = row.steps_done >= row.steps
        line = Text("✓ " if whole else "… ", style="green" if whole else "yellow")
        line.append(f"{row.version} {row.slug}  {state_of(row)}")
        yield line.append(f"  {row.seconds:.2f} s", style="dim")


def history_lines(rows: Sequence[Applied]) -> Iterator[Text]:
    """The history, oldest first."""
    if not rows:
        yield Text("Nothing was applied to this database by reconciler.")
        return
    width = max(len(row.slug) for row in rows)
    by = max(len(row.applied_by) for row in rows)
    for row in rows:
        state = state_of(row)
        style = {"applied": "green", "rolled back": "yellow"}.get(state, "bold red")
        line = Text(f"{row.version}  {row.slug:<{width}}  ")
        line.append(f"{row.direction:<4}  ").append(f"{state:<18}", style=style)
        yield line.append(f"  {row.started_at}  {row.applied_by:<{by}}  {row.seconds:8.2f} s")
        for consent in row.consents:
            yield Text(f"    {consent}", style="dim")


def ups_lines(migrations: Iterable[Migration]) -> Iterator[Text]:
    for migration in migrations:
        yield Text(f"UP of {migration.filename}", style="bold")
        yield from statement_lines(migration.up)


def downs_lines(migrations: Iterable[Migration]) -> Iterator[Text]:
    for migration in migrations:
        yield Text(f"DOWN of {migration.filename}", style="bold")
        yield from statement_lines(migration.down)
