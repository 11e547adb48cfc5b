"""One pass of reconciling: look, and do what the mode allows. Every error becomes a condition; none is swallowed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Literal

from reconciler import migrate
from reconciler.engine.applying import apply
from reconciler.engine.drift import Drift, drift
from reconciler.engine.phases import in_phases
from reconciler.engine.planning import propose
from reconciler.engine.work import Told
from reconciler.errors import Stalled, Usage, Waiting
from reconciler.model import Applied, Condition, Status
from reconciler.run.stop import Stop
from reconciler.settings import Database


def run_once(
    database: Database,
    *,
    told: Told = lambda stage: None,
    now: datetime | None = None,
    stop: Stop | None = None,
) -> Status:
    """Observes, and in the modes `propose` and `apply` writes or applies what is missing. Trust is `untrusted` unless the
    configuration says otherwise. Returns the status; raises only for errors that are none of our families.
    """
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    trust = database.trust or "untrusted"
    done: tuple[Applied, ...] = ()
    written = ""
    try:
        seen = drift(database, trust=trust, told=told)
        if seen.changes and database.mode == "apply":
            done = apply(database, trust=trust, told=told, again=False, stop=stop)
            seen = drift(database, trust=trust, told=told)
        elif seen.changes and database.mode == "propose":
            written = _proposed(database, trust, told)
    except Waiting as error:
        return Status(database.name, at, (_unknown(error.what, at, "Waiting"), _stalled("", at)))
    except (Stalled, Usage) as error:
        return Status(database.name, at, (_unknown(error.what, at, "Stalled"), _stalled(str(error), at)))
    facts = {
        "applied": [row.version for row in done], "written": written,
        "drift": dict(Counter(f"{change.id.kind}:{change.verb}" for change in seen.changes)),
    }  # fmt: skip
    return Status(database.name, at, _conditions(seen, at), seen.changes, seen.extra, facts=facts)


def _proposed(database: Database, trust: Literal["untrusted", "reviewed"], told: Told) -> str:
    """Writes the migration unless the newest pending file already holds the same statements."""
    made = propose(database, trust=trust, told=told, every_row=False, phases=in_phases(database))
    if made.migration is None or made.rehearsal is None:
        return ""
    if not made.rehearsal.passed:
        raise Stalled(
            f"the rehearsal of the plan failed: {'; '.join(made.rehearsal.residue[:5])}",
            hint="reconciler plan",
        )
    for file in migrate.load_directory(database.migrations)[::-1]:
        if [s.sql for s in file.up] == [s.sql for s in made.migration.up]:
            return file.filename
    migrate.write(made.migration, database.migrations)
    return made.migration.filename


def _conditions(seen: Drift, at: str) -> tuple[Condition, ...]:
    if seen.changes:
        first = ", ".join(f"{c.verb} {c.id.kind} {c.id}" for c in seen.changes[:3])
        more = f" and {len(seen.changes) - 3} more" if len(seen.changes) > 3 else ""
        sync = Condition("InSync", "False", "Drifted", f"{len(seen.changes)} differences: {first}{more}", at)
    else:
        sync = Condition("InSync", "True", "AsDeclared", "the database is as declared", at)
    extra = Condition(
        "ExtraObjects", "True" if seen.extra else "False", "Undeclared" if seen.extra else "None",
        f"{len(seen.extra)} undeclared objects stay as they are" if seen.extra else "nothing undeclared", at,
    )  # fmt: skip
    found = [sync, extra, _stalled("", at)]
    if seen.unmodelled:
        sentence = f"not compared: {', '.join(seen.unmodelled[:3])}"
        found.append(Condition("Unmodelled", "True", "UnknownKinds", sentence, at))
    if seen.phases:
        named = ", ".join(f"{one.column} (may be NULL since {one.version})" for one in seen.phases[:3])
        found.append(Condition("PhasePending", "True", "NextApply", f"the next apply drops {named}", at))
    return tuple(found)


def _unknown(what: str, at: str, reason: str) -> Condition:
    return Condition("InSync", "Unknown", reason, what, at)


def _stalled(sentence: str, at: str) -> Condition:
    if sentence:
        return Condition("Stalled", "True", "ActionNeeded", sentence, at)
    return Condition("Stalled", "False", "Working", "no action is needed", at)
