"""The reasons for which nothing is applied, each in words that say what to do. Raises Stalled; decides nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from reconciler import migrate
from reconciler.errors import Stalled
from reconciler.model import Applied, HazardCode, Migration, Plan, Snapshot
from reconciler.pg import ident


def refuse_unmodelled(wanted: Snapshot) -> None:
    strange = sorted({*wanted.unmodelled})
    if strange:
        raise Stalled(
            f"the declarations hold objects this program cannot compare: {', '.join(strange[:5])}",
            hint="take them out of the declarations and manage them by hand",
        )


def refuse_failed(
    passed: bool,
    residues: Sequence[str],
    what: str = "the plan",
    live: Snapshot | None = None,
    role: str = "",
) -> None:
    """A rehearsal that did not pass; where a right was missing, the GRANT that gives it."""
    if passed:
        return
    grant = (
        next(filter(None, (_missing_grant(residue, live, role) for residue in residues)), "") if live else ""
    )
    raise Stalled(
        f"the rehearsal of {what} failed: {'; '.join(residues[:5]) or 'it was not rehearsed'}",
        hint=f"nothing was changed; {role} lacks a right: {grant}"
        if grant
        else "nothing was changed; reconciler plan shows every statement",
    )


def refuse_added(plan: Plan, allowed: Collection[str]) -> None:
    """A plan that adds a finding of the audit, where nobody allowed that."""
    found = [hazard for hazard in plan.hazards if hazard.code == HazardCode.ADDS_FINDING]
    if found and HazardCode.ADDS_FINDING not in allowed:
        lines = "".join(f"\n  {hazard.consequence}" for hazard in found)
        raise Stalled(
            f"the plan adds what the audit warns of:{lines}",
            hint="change the declaration, exempt the finding in the configuration, or allow: [ADDS_FINDING]",
        )


def refuse_lacking(sentences: Sequence[str], what: str = "the plan") -> None:
    """A plan on a guarded table without what such a table needs."""
    if sentences:
        lines = "".join(f"\n  {sentence}" for sentence in sentences)
        raise Stalled(
            f"{what} touches a table that is guarded for its size, and lacks what that asks for:{lines}",
            hint="nothing was changed; guarded_rows in the configuration says from how many rows on",
        )


FIGHT = timedelta(hours=1)
_REPAIRS = 2
_OWNER = re.compile(r"must be owner of (?P<kind>[a-z ]+?) (?P<name>\S+) \[42501\]")
_DENIED = re.compile(r"permission denied (?:for|to create) (?P<kind>schema|database) (?P<name>\S+) \[42501\]")


def _missing_grant(residue: str, live: Snapshot, role: str) -> str:
    """The SQL that would have let the statement pass (PostgreSQL's messages name the object, not its owner)."""
    denied = _DENIED.search(residue)
    if denied:
        return f"grant create on {denied['kind']} {ident(denied['name'].strip(chr(34)))} to {ident(role)};"
    owned = _OWNER.search(residue)
    if owned is None:
        return ""
    name = owned["name"].strip('"').rpartition(".")[2].strip('"').partition("(")[0]
    owners = sorted(
        {f["owner"] for f in live.facts.values() if f.id.name == name and f["owner"] and f["owner"] != role}
    )
    return " ".join(f"grant {ident(owner)} to {ident(role)};" for owner in owners)


def refuse_repetition(history: Sequence[Applied], migration: Migration) -> None:
    """What is undone once is repaired once more; the same plan for the third time in a row within an hour means that something fights
    it, and going on would never end."""
    done = [row for row in history if row.finished_at][-_REPAIRS:]
    since = datetime.now(UTC) - FIGHT
    fought = [
        row for row in done
        if row.direction == "up" and datetime.fromisoformat(row.finished_at) > since
        and [s.sql for s in migrate.restored(row).up] == [s.sql for s in migration.up]
    ]  # fmt: skip
    if len(fought) == _REPAIRS:
        raise Stalled(
            f"the same plan was applied as {' and '.join(row.version for row in fought)} and is due again: something undoes it",
            hint="reconciler drift shows what; look for a job, an extension or a person that changes it back. It is tried again within"
            " an hour; at once when somebody asks for a pass, or by reconciler apply",
        )


def refuse_edited(history: Sequence[Applied], files: Sequence[Migration]) -> None:
    edited = migrate.edited(history, files)
    if edited:
        raise Stalled(
            f"{edited[0].filename} was edited after it was applied",
            hint=f"restore the file (reconciler show {edited[0].version} prints what ran), or write a new migration",
        )
