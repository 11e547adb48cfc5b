"""Looking without touching: how a database stands, what was applied to it, and one migration of it.

Reads the target, its history and the folder of migrations. Promises to change nothing, also in `mode: apply`, and that an
unreachable database is never taken for one in sync.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from reconciler import declare, migrate
from reconciler.engine import purging
from reconciler.engine.checkout import used
from reconciler.engine.cycle import observed
from reconciler.engine.desired import Trust
from reconciler.engine.fetching import Fetched, known, remembered
from reconciler.engine.work import Told
from reconciler.errors import ReconcilerError, Stalled, Usage, Waiting
from reconciler.migrate import Approval
from reconciler.model import Applied, Condition, Json, Migration, Status
from reconciler.pg import connect
from reconciler.settings import Database

WISHED = {
    "InSync": "True",
    "ExtraObjects": "False",
    "Stalled": "False",
    "Waiting": "False",
    "Faulty": "False",
    "Unmodelled": "False",
    "Pending": "False",
    "PhasePending": "False",
    "Suspended": "False",
    "InvariantBroken": "False",
}
"""How each condition should be. A type that is not named here should be True."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A migration and where it was read. `row` is its last row in the history, `edited` that file and history differ; `approval` was
    given to the file beforehand, and `holds` as long as it was not edited since."""

    migration: Migration
    origin: Literal["history", "file"]
    row: Applied | None = None
    edited: bool = False
    approval: Approval | None = None

    @property
    def holds(self) -> bool:
        return self.approval is not None and self.approval.checksum == self.migration.checksum


def look(
    database: Database,
    *,
    trust: Trust = "reviewed",
    told: Told = lambda stage: None,
    now: datetime | None = None,
) -> tuple[Status, int]:
    """The status, and the exit code it stands for: 0 as wished, 1 not, 2 to 4 when that could not be found out."""
    fetched = known(database)
    with used(fetched.database):
        return _looked(fetched, trust, told, now)


def _looked(fetched: Fetched, trust: Trust, told: Told, now: datetime | None) -> tuple[Status, int]:
    database = fetched.database
    watching = database.model_copy(update={"mode": "observe", "trust": database.trust or trust})
    seen = fetched.told_of(observed(watching, told=told, now=now, trouble=fetched.hindrance).status)
    if _unknown(seen):
        return seen, exit_of(database, seen)
    try:
        rows, waiting = history(database), pending(database)
    except (Stalled, Usage, Waiting) as error:
        at = seen.observed_at
        conditions = (*seen.conditions, Condition("Pending", "Unknown", "NotRead", error.what, at))
        return replace(seen, conditions=conditions), error.exit_code
    conditions = (*seen.conditions, _pending(waiting, seen.observed_at))
    facts = {
        **seen.facts, "mode": database.mode, "last_applied": rows[-1].version if rows else "",
        **kept_facts(database),
    }  # fmt: skip
    seen = replace(seen, conditions=conditions, pending=tuple(m.filename for m in waiting), facts=facts)
    return seen, exit_of(database, seen)


def exit_of(database: Database, status: Status) -> int:
    """0 when every condition is as wished, 1 when one is not, else why that is not known: 2, 3 or 4."""
    unknown = _unknown(status)
    if unknown is None:
        stalled = any(c.type == "Stalled" and c.status == "True" for c in status.conditions)
        waits = any(c.type == "Waiting" and c.status == "True" for c in status.conditions)
        well = all(as_wished(condition) for condition in status.conditions)
        return Stalled.exit_code if stalled else Waiting.exit_code if waits else 0 if well else 1
    if unknown.reason == "Waiting":
        return Waiting.exit_code
    if database.source is not None:
        database = remembered(database)
        if not database.commit:
            return Stalled.exit_code
    try:
        database.target()
        declare.read(database.schema_dir, exclude=database.migrations)
    except Usage:
        return Usage.exit_code
    return Stalled.exit_code


def gravest(codes: Iterable[int]) -> int:
    """Exit codes of several databases become one: what a person must do beats what passes by itself."""
    return max(codes, key=(0, 1, 4, 2, 3).index, default=0)


def as_wished(condition: Condition) -> bool:
    """Whether a condition is how it should be; one that is unknown never is."""
    return condition.status == WISHED.get(condition.type, "True")


def kept_facts(database: Database) -> dict[str, Json]:
    """What is kept of dropped data; nothing of it where this role may not look."""
    try:
        found = purging.kept(database)
    except Stalled:
        return {}
    unique = {one.kept_as: one.bytes for one in found}
    dropped = [one for one in found if not one.unfinished]
    return {
        "quarantine": [
            {
                "kind": one.id.kind, "id": str(one.id), "kept_as": one.kept_as, "kept_at": one.kept_at, "kept_by": one.kept_by,
                "rows": one.rows, "bytes": one.bytes, "held": one.held or None,
            }
            for one in found
        ],
        "quarantine_objects": len(dropped),
        "quarantine_bytes": sum(unique.values()),
        "quarantine_oldest": datetime.fromisoformat(dropped[0].kept_at).timestamp() if dropped else None,
    }  # fmt: skip


def history(database: Database) -> tuple[Applied, ...]:
    """Every run of an UP or DOWN, oldest first. Raises Stalled or Waiting when the target cannot be read."""
    with connect(database.target()) as live:
        return migrate.read(live)


def pending(database: Database, rows: Sequence[Applied] | None = None) -> tuple[Migration, ...]:
    """The migration files that are not, or not wholly, in the database."""
    files = migrate.load_directory(database.migrations)
    if not files:
        return ()
    return migrate.pending(history(database) if rows is None else rows, files)


def standing(rows: Sequence[Applied]) -> tuple[Applied, ...]:
    """The rows of what is in the database now, newest version first: what a rollback would take back."""
    latest = migrate.latest(rows)
    return tuple(
        latest[version]
        for version in sorted(latest, reverse=True)
        if migrate.state_of(latest[version]) != "rolled back"
    )


def show(database: Database, version: str) -> Shown:
    """One migration, as it was applied when it was, else from its file. `version` may be cut short where that is clear.

    Without a connection the file alone is shown. Raises Usage when there is none of that version.
    """
    files = {m.version: m for m in migrate.load_directory(database.migrations)}
    trouble: ReconcilerError | None = None
    rows: dict[str, Applied] = {}
    approved: dict[str, Approval] = {}
    try:
        with connect(database.target()) as live:
            rows, approved = migrate.latest(migrate.read(live)), migrate.approvals(live)
    except ReconcilerError as error:
        trouble = error
    found = sorted(known for known in {*files, *rows} if known.startswith(version))
    if version in found:
        found = [version]
    if not found and trouble is not None:
        raise trouble
    if not found:
        raise Usage(
            f"there is no migration {version}, neither as a file nor in the history",
            hint="reconciler history lists what was applied; the files are in the migrations folder",
        )
    if len(found) > 1:
        raise Usage(f"{version} may mean {', '.join(found[:5])}", hint="write more of it")
    row, file = rows.get(found[0]), files.get(found[0])
    if row is None:
        assert file is not None
        return Shown(file, "file", approval=_given(approved, file))
    edited = file is not None and file.checksum != row.checksum
    if file is not None and not edited:
        return Shown(file, "file", row, approval=_given(approved, file))
    return Shown(migrate.restored(row), "history", row, edited)


def _given(approved: dict[str, Approval], file: Migration) -> Approval | None:
    found = approved.get(file.version)
    return found if found is not None and found.codes else None


def _pending(waiting: Sequence[Migration], at: str) -> Condition:
    if not waiting:
        return Condition("Pending", "False", "AllApplied", "no migration waits", at)
    names = ", ".join(migration.filename for migration in waiting[:3])
    more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
    return Condition("Pending", "True", "MigrationsWait", f"{len(waiting)} not applied: {names}{more}", at)


def _unknown(status: Status) -> Condition | None:
    return next((c for c in status.conditions if c.type == "InSync" and c.status == "Unknown"), None)
