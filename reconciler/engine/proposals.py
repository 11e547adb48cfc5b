"""Migration files that the loop wrote and nobody has taken up: neither applied nor approved nor edited.

Such a file is what the loop would do, at the moment it looked. When it would do something else it writes that instead: an old
proposal that leads nowhere would keep the next apply waiting for a person. Whatever a person touched is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler import migrate
from reconciler.migrate import Approval
from reconciler.model import Applied, Migration
from reconciler.settings import Database

_KEY, _LOOP = "proposed by", "reconciler run"


def own(
    files: Iterable[Migration], history: Sequence[Applied], approved: Mapping[str, Approval]
) -> tuple[Migration, ...]:
    """Those of the files that are nobody's but the loop's."""
    ran = migrate.latest(history)
    return tuple(
        one for one in files
        if (_KEY, _LOOP) in one.header and "edited" not in dict(one.header) and one.version not in ran
        and not (one.version in approved and approved[one.version].codes)
    )  # fmt: skip


def again(
    made: Migration, olds: Iterable[Migration], history: Sequence[Applied], approved: Mapping[str, Approval]
) -> Migration:
    """The file that says the same as `made` already, unless a newer one was applied since, or `made` as the loop writes it.

    Where somebody approved the same, word for word, in a file of another process that led before, it is that one's version: consent is
    kept in the database, the folder of a process that is gone may be nowhere.
    """
    newest = max((row.version for row in history), default="")
    for given in approved.values():
        if given.codes and given.version > newest and given.checksum == made.checksum:
            return replace(made, version=given.version)
    for old in olds:
        if old.version > newest and _says(old) == _says(made):
            return old
    return replace(made, header=(*made.header, (_KEY, _LOOP)))


def _says(migration: Migration) -> list[tuple[str, bool]]:
    return [(one.sql, one.transactional) for one in migration.up]


def offered(migration: Migration) -> Migration:
    """The file for people to take up: what they merge is theirs, and runs as it stands."""
    return replace(migration, header=tuple(pair for pair in migration.header if pair != (_KEY, _LOOP)))


def filed(database: Database, migration: Migration, olds: Iterable[Migration]) -> None:
    """Writes the file and removes what it replaces."""
    for old in olds:
        if old.version != migration.version:
            (database.migrations / old.filename).unlink(missing_ok=True)
    if not (database.migrations / migration.filename).exists():
        migrate.write(migration, database.migrations)
