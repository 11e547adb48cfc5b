"""Where a run begins: at its first step, behind the last recorded one, or not at all. Judges the history
only.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.errors import Stalled
from reconciler.migrate.header import why_irreversible
from reconciler.migrate.history import Direction, latest, restored, state_of
from reconciler.model import Applied, Migration
from reconciler.run import steps


def resume_at(
    history: Sequence[Applied], migration: Migration, direction: Direction, *, out_of_order: bool = False
) -> int:
    """The number of steps that need not run: 0 for a fresh run, all of them when it is done already.

    Raises `Stalled` when the history and the file do not fit together, with what to type.
    """
    rows = latest(history)
    row = rows.get(migration.version)
    state = state_of(row) if row else "rolled back"
    if direction == "up":
        if row and state == "applied":
            _require_unedited(row, migration)
            return len(steps(migration.up))
        _require_no_other_half(rows, migration)
        if row and state == "partly applied":
            return _steps_that_stand(row, migration)
        if not out_of_order:
            _require_newest(rows, migration)
        return 0
    if row is None:
        raise Stalled(
            f"migration {migration.version} was never applied to this database",
            hint="see what was with: reconciler history",
        )
    _require_unedited(row, migration)
    script = steps(migration.down)
    if state == "rolled back":
        return len(script)
    if not script:
        raise Stalled(
            f"migration {migration.version} cannot be rolled back: {why_irreversible(migration) or 'it has no DOWN'}"
        )
    _require_no_other_half(rows, migration)
    if not out_of_order:
        _require_nothing_on_top(rows, migration)
    return row.steps_done if state == "partly rolled back" else 0


def _require_unedited(row: Applied, migration: Migration) -> None:
    if row.checksum != migration.checksum:
        raise Stalled(
            f"{migration.filename} was edited after it was applied"
            f" (applied {row.checksum[:12]}, now {migration.checksum[:12]})",
            hint=f"see what was applied with: reconciler show {row.version}"
            " — put the file back, and write what is new as a migration of its own",
        )


def _steps_that_stand(row: Applied, migration: Migration) -> int:
    """A half applied migration may be corrected behind the steps that are in the database, not before."""
    if row.checksum == migration.checksum:
        return row.steps_done
    were, are = steps(restored(row).up)[: row.steps_done], steps(migration.up)[: row.steps_done]
    as_run = [[(one.sql, one.transactional) for one in step.statements] for step in were]
    if as_run != [[(one.sql, one.transactional) for one in step.statements] for step in are]:
        raise Stalled(
            f"{migration.filename} was edited in a step that is already applied"
            f" ({row.steps_done} of {row.steps} are)",
            hint=f"put the applied steps back (reconciler show {row.version} --up), or roll it back",
        )
    return row.steps_done


def _require_no_other_half(rows: dict[str, Applied], migration: Migration) -> None:
    for version, row in sorted(rows.items()):
        if version != migration.version and state_of(row).startswith("partly"):
            raise Stalled(
                f"migration {version} is {state_of(row)} ({row.steps_done} of {row.steps} steps)",
                hint=f"finish it first: reconciler apply {version}, or reconciler rollback --steps 1",
            )


def _require_newest(rows: dict[str, Applied], migration: Migration) -> None:
    newest = max((version for version, row in rows.items() if state_of(row) == "applied"), default="")
    if newest > migration.version:
        raise Stalled(
            f"migration {migration.version} is older than {newest}, which is applied",
            hint=f"name it to apply it all the same: reconciler apply {migration.version}"
            " — or rename its file to the time of now, as it was rehearsed after the newer one",
        )


def _require_nothing_on_top(rows: dict[str, Applied], migration: Migration) -> None:
    on_top = sorted(v for v, row in rows.items() if v > migration.version and state_of(row) == "applied")
    if on_top:
        raise Stalled(
            f"migration {on_top[-1]} was applied on top of {migration.version}",
            hint=f"take both back, newest first: reconciler rollback --steps {len(on_top) + 1}",
        )
