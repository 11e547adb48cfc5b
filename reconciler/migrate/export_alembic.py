"""A migration as a revision of Alembic: a Python module behind the newest one in the folder.

Knows how SQLAlchemy reads a text (a colon begins a parameter) and how Python does. Never imports either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from reconciler.errors import Stalled
from reconciler.migrate.file import timeouts_of
from reconciler.migrate.frame import settings
from reconciler.migrate.header import why_irreversible
from reconciler.migrate.remarks import remark
from reconciler.model import Migration, Statement
from reconciler.run import steps

_REVISION = re.compile(r"""^revision(?:\s*:[^=\n]*)?\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_BEHIND = re.compile(r"^down_revision(?:\s*:[^=\n]*)?\s*=\s*(.+)$", re.MULTILINE)
_NAMES = re.compile(r"""["']([^"']+)["']""")

_MODULE = '''"""{title}

Revision ID: {version}
Revises: {behind}
Create Date: {time}
"""

from alembic import op
from sqlalchemy import text

revision = "{version}"
down_revision = {down_revision}
branch_labels = None
depends_on = None


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''


def alembic(migration: Migration, folder: Path) -> Mapping[Path, str]:
    """The one new file below `folder`, which is Alembic's `versions`. `Stalled` when that has several heads."""
    behind = _head(folder)
    time = datetime.strptime(migration.version, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    text = _MODULE.format(
        title=migration.slug.replace("_", " "),
        version=migration.version,
        behind=behind or "",
        time=time.isoformat(sep=" "),
        down_revision=f'"{behind}"' if behind else "None",
        upgrade=_function(migration, migration.up),
        downgrade=_function(migration, migration.down) if migration.down else _refusal(migration),
    )
    return {folder / f"{migration.version}_{migration.slug}.py": text}


def sql_literal(sql: str) -> str:
    """A Python expression that SQLAlchemy's `text()` turns into exactly `sql`."""
    safe = re.sub(r"(\\)?:(?=[\w$])", lambda found: r"\\:" if found[1] else r"\:", sql)
    python = safe.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
    return f'"""{python}"""' if "\n" in python else f'"{python}"'


def _function(migration: Migration, statements: Sequence[Statement]) -> str:
    timeouts = timeouts_of(migration.header)
    lines: list[str] = []
    for step in steps(statements):
        if step.transactional:
            if step.statements[0].apart:  # entering the block commits what stands before it
                lines += ["with op.get_context().autocommit_block():", '    op.execute(text("select 1"))']
            lines += [
                _execute(line.rstrip(";")) for line in settings(timeouts.lock, timeouts.statement, local=True)
            ]
            for statement in step.statements:
                lines += [*_comments(statement), _execute(statement.sql)]
        else:
            lines += [*_comments(step.statements[0]), "with op.get_context().autocommit_block():"]
            lines.append("    " + _execute(step.statements[0].sql))
    return "\n".join(f"    {line}" for line in lines)


def _execute(sql: str) -> str:
    return f"op.execute(text({sql_literal(sql)}))"


def _comments(statement: Statement) -> list[str]:
    return ["# " + line.removeprefix("--").removeprefix(" ") for line in remark(statement)]


def _refusal(migration: Migration) -> str:
    why = why_irreversible(migration) or ""
    return f"    raise RuntimeError({f'{migration.version} cannot be undone: {why}'!r})"


def _head(folder: Path) -> str:
    """The one revision behind which there is no other; empty in a folder without any."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for file in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        content = file.read_text(encoding="utf-8")
        revisions.update(_REVISION.findall(content)[:1])
        for names in _BEHIND.findall(content)[:1]:
            followed.update(_NAMES.findall(names))
    heads = sorted(revisions - followed)
    if len(heads) > 1:
        raise Stalled(
            f"{folder} has several heads: {', '.join(heads)}", hint="join them first: alembic merge heads"
        )
    return heads[0] if heads else ""
