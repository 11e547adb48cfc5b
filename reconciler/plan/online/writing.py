"""Pieces of SQL that the online forms share. Promises that each can run twice, and at either end of the plan."""

from __future__ import annotations

from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.model import Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import dollar, ident, literal
from reconciler.plan.online.course import Remain, Stage

PATIENT = "10min"
"""For statements that ask for SHARE UPDATE EXCLUSIVE: while they wait, nobody waits behind them but maintenance."""

_WAITS = frozenset({HazardCode.BLOCKS_WRITES, HazardCode.SCANS_UNDER_LOCK, HazardCode.REWRITES_TABLE})


def unblocking(hazards: tuple[Hazard, ...]) -> tuple[Hazard, ...]:
    """The hazards that the online form has still."""
    return tuple(hazard for hazard in hazards if hazard.code not in _WAITS)


def outside(sql: str, reason: str, subject: ObjectId | None, *hazards: Hazard) -> Stage:
    """A statement that PostgreSQL refuses inside a transaction."""
    return Stage(Statement(sql, reason, transactional=False, hazards=hazards, subject=subject), alone=True)


def patiently(sql: str, reason: str, subject: ObjectId | None, *hazards: Hazard) -> Stage:
    """A statement that takes long in a transaction of its own, and blocks nobody meanwhile."""
    return Stage(Statement(sql, reason, lock_timeout=PATIENT, hazards=hazards, subject=subject), alone=True)


def constraint_is(table: ObjectId, name: str, more: str = "") -> str:
    """The condition that the table has a constraint of that name."""
    return (
        f"exists (select from pg_catalog.pg_constraint where conrelid = pg_catalog.to_regclass({literal(w.name(table))})"
        f" and conname = {literal(name)}{more})"
    )


def validated(table: ObjectId, name: str, subject: ObjectId, *hazards: Hazard) -> Stage:
    """VALIDATE of a constraint that may be gone already."""
    sql = w.guarded(
        constraint_is(table, name, " and not convalidated"),
        f"alter table {w.name(table)} validate constraint {ident(name)}",
    )
    return patiently(
        sql, f"{subject}: the rows that were there are read, while others write", subject, *hazards
    )


def cleared(index: str, table: str, subject: ObjectId) -> Stage:
    """Takes away what an interrupted build of this index left: IF NOT EXISTS would believe it."""
    invalid = (
        f"exists (select from pg_catalog.pg_index where indexrelid = pg_catalog.to_regclass({literal(index)})"
        " and not indisvalid)"
    )
    sql = "do " + _block(
        f"  if {invalid} then\n"
        f"    -- Somebody may be building it right now: this waits, and looks again.\n"
        f"    lock table {table} in share update exclusive mode;\n"
        f"    if {invalid} then\n"
        f"      drop index {index};\n"
        "    end if;\n"
        "  end if;"
    )
    return Stage(Statement(sql, f"{subject}: what an interrupted build left is in the way", subject=subject))


def swept(remains: list[Remain]) -> Statement | None:
    """Removes what an interrupted run in the other direction left; does nothing where there is nothing."""
    lines = []
    for remain in dict.fromkeys(remains):
        table, name = w.name(remain.table), remain.name
        own = ident(remain.table.schema, name)
        if remain.kind == "index":
            lines.append(
                f"  if pg_catalog.to_regclass({literal(own)}) is not null and not exists (select from"
                f" pg_catalog.pg_constraint where conindid = pg_catalog.to_regclass({literal(own)})) then\n"
                f"    drop index {own};\n  end if;"
            )
        elif remain.kind == "constraint":
            lines.append(
                f"  if {constraint_is(remain.table, name)} then\n"
                f"    alter table {table} drop constraint {ident(name)};\n  end if;"
            )
        else:  # a trigger with the function of the same name
            lines.append(
                f"  if pg_catalog.to_regprocedure({literal(own + '()')}) is not null then\n"
                f"    drop trigger if exists {ident(name)} on {table};\n"
                f"    drop function {own}();\n  end if;"
            )
    if not lines:
        return None
    return Statement(
        "do " + _block("\n".join(lines)), "what an interrupted run of the other direction may have left"
    )


def apart(statement: Statement) -> Statement:
    return replace(statement, apart=True)


def _block(body: str) -> str:
    return dollar(f"\nbegin\n{body}\nend\n")
