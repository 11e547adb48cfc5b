"""Consent to the hazards of a migration file, given before it runs: by a person, to this very file, on this database."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler import migrate
from reconciler.engine.consent import NEEDS_CONSENT, client
from reconciler.engine.desired import Trust
from reconciler.engine.listening import tell
from reconciler.engine.refusals import refuse_edited
from reconciler.engine.trying import rehearsed_files
from reconciler.engine.work import Told, looked, opened
from reconciler.errors import Usage
from reconciler.migrate import Approval
from reconciler.model import Hazard, Migration
from reconciler.pg import connect
from reconciler.settings import Database


@dataclass(frozen=True, slots=True)
class Approvable:
    """A pending migration and those of its hazards that need consent, found by rehearsing it on this database's shadow."""

    migration: Migration
    hazards: tuple[Hazard, ...]


def approvable(
    database: Database, version: str, *, trust: Trust = "reviewed", told: Told = lambda stage: None
) -> Approvable:
    """What somebody would consent to. Rehearses the pending files up to this one; changes nothing. `version` may be cut short where
    that is clear. Raises Usage when no such file is pending."""
    look = looked(database, trust=trust, told=told)
    files = migrate.load_directory(database.migrations)
    refuse_edited(look.history, files)
    pending = migrate.pending(look.history, files)
    found = [one for one in pending if one.version == version] or [
        one for one in pending if one.version.startswith(version)
    ]
    if len(found) != 1:
        names = ", ".join(one.version for one in pending) or "none"
        raise Usage(
            f"{version} may mean {', '.join(one.version for one in found)}"
            if found
            else f"no migration {version} is pending",
            hint=f"pending are: {names}",
        )
    until = [one for one in pending if one.version <= found[0].version]
    with opened(look, trust=trust, told=told) as work:
        tried = rehearsed_files(work, until, told, must_end_as_declared=False)[-1]
    return Approvable(tried.migration, tuple(h for h in tried.hazards if h.code in NEEDS_CONSENT))


def approve(database: Database, what: Approvable, *, who: str = "") -> Approval:
    """Records the consent, with who gave it: `who`, or whoever runs this program. Raises Stalled without the right to write it down."""
    with connect(database.target()) as live:
        given = migrate.approve(
            live, what.migration, sorted({h.code for h in what.hazards}), client=who or client()
        )
        tell(live)
        return given


def withdraw(database: Database, version: str) -> Approval:
    """Takes an approval back. Raises Usage when there is none."""
    with connect(database.target()) as live:
        given = {v: one for v, one in migrate.approvals(live).items() if one.codes and v.startswith(version)}
        if len(given) != 1:
            raise Usage(
                f"no approval of {version} stands", hint=f"approved are: {', '.join(sorted(given)) or 'none'}"
            )
        (found,) = given.values()
        return migrate.approve(live, Migration(found.version, "", (), ()), (), client=client())
