"""The audit of a schema, start to end: whose the rows are, what the rules say, what attacks show.

Knows a subject in a scratch database, never the live one. Promises that what was found before an interruption is told, marked as
partial.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from reconciler import __version__
from reconciler.audit import exemptions, probe, rules, triggers
from reconciler.audit.report import Audit, Exempted, summary
from reconciler.audit.told import reached
from reconciler.catalog import snapshot as catalog
from reconciler.engine import cache
from reconciler.engine.desired import Trust
from reconciler.engine.subject import Subject, of_database
from reconciler.engine.work import Told
from reconciler.errors import Usage
from reconciler.model import Cell, Finding, Json, ObjectId, Snapshot
from reconciler.pg import connect
from reconciler.settings import Database
from reconciler.shadow.tenants import tenancy, world
from reconciler.shadow.tenants.identities import Recipe
from reconciler.shadow.tenants.values import Identity, Side, Tenancy


@dataclass(slots=True)
class _Found:
    """What is known so far."""

    tenancy: Tenancy = field(default_factory=lambda: Tenancy({}))
    identities: tuple[Identity, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    cells: tuple[Cell, ...] = ()
    unseeded: Mapping[ObjectId, str] = field(default_factory=dict)
    untried: list[str] = field(default_factory=list)
    attacked: bool = False
    partial: str = ""
    stage: str = ""


def audited(
    subject: Subject,
    database: Database,
    *,
    attacks: bool = True,
    only: Collection[str] = (),
    tables: Mapping[str, str] | None = None,
    told: Told = lambda stage: None,
    today: datetime.date | None = None,
) -> Audit:
    """Everything that is to be said about `subject`; `database` has the configuration that goes with it. Without `attacks` the rules alone
    speak; `only` are the names of the identities that attack, if not all; `tables` says whose tables are, over the configuration. An
    interruption (Ctrl-C) ends the audit, and what was found until then is returned."""
    began = time.monotonic()
    found = _Found()

    def tell(stage: str) -> None:
        found.stage = stage
        told(stage)

    with _until_interrupted(found):
        with connect(subject.start) as session:
            tell("see whose the rows are")
            found.tenancy = whose(session, database, tables)
            tell("ask the rules")
            seen = catalog.read(session, subject.scope)
            found.findings += ruled(session, subject, found.tenancy, seen)
            attacks = attacks and _may_attack(session, found)
        if attacks:
            _attack(subject, database, seen, found, only, tell)
    complete = found.attacked and not found.partial and not only
    kept, accepted = exempted(found.findings, database, complete=complete, today=today)
    return Audit(
        source=subject.name, major=subject.shadow.major, tenancy=found.tenancy, identities=found.identities, cells=found.cells, findings=kept,
        exempted=accepted, unseeded=found.unseeded, untried=tuple(found.untried), attacked=found.attacked, partial=found.partial,
        places=subject.places, rules=rules.RULES, versions={"reconciler": __version__}, seconds=time.monotonic() - began,
    )  # fmt: skip


def facts(
    database: Database, fingerprint: str, *, trust: Trust, told: Told = lambda stage: None
) -> dict[str, Json]:
    """What a status says of the audit of the declarations whose state has this fingerprint. Attacks run only where the configuration wants
    them. Remembered for the day: exemptions expire."""
    about = (fingerprint, database.audit.model_dump(mode="json"), database.tenants_by, database.platform)
    name = cache.key("audit", *about)
    saved: dict[str, Json] | None = cache.load("audit", name)
    if saved is not None:
        return saved
    with of_database(database, live=False, trust=trust, told=told) as subject:
        found = audited(subject, database, attacks=database.audit.attacks, told=told)
    value = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "attacked": found.attacked,
        **summary(found),
        "worst": [
            {
                "rule": one.rule,
                "severity": one.severity,
                "kind": one.subject.kind,
                "id": str(one.subject),
                "says": one.says,
            }
            for one in found.at_least("warning")[:_SHOWN]
        ],
    }
    if not found.partial:
        cache.save("audit", name, value)
    return value


_SHOWN = 20
"""How many findings a status names."""


def whose(
    session: psycopg.Connection[TupleRow], database: Database, tables: Mapping[str, str] | None = None
) -> Tenancy:
    """Whose each table is, as far as schema and configuration tell."""
    declared = {**database.audit.tables, **(tables or {})}
    return tenancy.read(session, tenant_column=database.tenants_by, declared=declared)


def ruled(
    session: psycopg.Connection[TupleRow], subject: Subject, whose: Tenancy, seen: Snapshot
) -> tuple[Finding, ...]:
    """What can be said without any row. `seen` is the snapshot of the subject in its scope."""
    return (
        *rules.check(session, whose, platform=subject.platform, schemas=subject.scope),
        *triggers.designed(session, seen, whose, subject.designs),
    )


def exempted(
    findings: Collection[Finding], database: Database, *, complete: bool, today: datetime.date | None = None
) -> tuple[tuple[Finding, ...], tuple[Exempted, ...]]:
    """The findings that count, and those that somebody accepted. That an exemption matches nothing is told only where everything was
    looked at (`complete`)."""
    asked = [exemptions.Exemption(one.key, one.reason, one.expires) for one in database.audit.exemptions]
    kept, accepted, own = exemptions.exempted(
        findings, asked, today or datetime.datetime.now(datetime.UTC).date()
    )
    said = tuple(one for one in own if complete or one.rule != exemptions.UNUSED.id)
    return (*kept, *said), tuple(Exempted(one, by.reason, by.expires.isoformat()) for one, by in accepted)


def _may_attack(session: psycopg.Connection[TupleRow], found: _Found) -> bool:
    row = session.execute(
        "select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user"
    ).fetchone()
    if row and row[0]:
        return True
    found.untried.append(
        "nothing was attacked: on the shadow that needs a superuser, who puts rows in with triggers off and acts as other roles"
    )
    return False


def _attack(
    subject: Subject, database: Database, seen: Snapshot, found: _Found, only: Collection[str], tell: Told
) -> None:
    made_of = world.build(
        subject.shadow,
        subject.start,
        tenancy=found.tenancy,
        scripts=_fixtures(database),
        recipes=_recipes(database),
        told=tell,
    )
    with made_of as made:
        if only:
            made = replace(made, identities=_chosen(made.identities, only))
        found.identities, found.unseeded = made.identities, made.unseeded
        found.untried += [f"{name}: {why}" for name, why in sorted(made.uncalibrated.items())]
        found.attacked = True

        def counted(done: int, of: int, what: str) -> None:
            tell(f"attack {what} ({done + 1} of {of})")

        came = probe.attacked(made, seen, told=counted)
        found.cells = came.cells
        found.findings += reached(came.findings, subject.platform)
        found.untried += came.beside
        if came.interrupted:
            found.partial = f"interrupted ({found.stage}): what was not reached is undecided"
            return
        for cells, findings in triggers.firing(made, seen, told=tell):
            found.cells += cells
            found.findings += findings
        for cell, findings in triggers.serving(made, seen, told=tell):
            found.cells += (cell,)
            found.findings += findings


def _chosen(identities: tuple[Identity, ...], names: Collection[str]) -> tuple[Identity, ...]:
    unknown = sorted(set(names) - {one.name for one in identities})
    if unknown:
        known = ", ".join(one.name for one in identities)
        raise Usage(f"there is no identity {unknown[0]}", hint=f"there are: {known}")
    return tuple(one for one in identities if one.name in names)


def _fixtures(database: Database) -> list[str]:
    """The declared rows of two tenants, in the order of the patterns and their files' names."""
    scripts = []
    for pattern in database.audit.fixtures:
        files = sorted(Path(pattern.anchor or ".").glob(str(pattern.relative_to(pattern.anchor))))
        if not files:
            raise Usage(f"audit.fixtures: there is no file {pattern}", hint="correct the configuration")
        scripts += [file.read_text(encoding="utf-8") for file in files]
    return scripts


_SIDES: Mapping[str, tuple[Side, ...]] = {"A": ("A",), "B": ("B",), "both": ("A", "B"), "none": ()}


def _recipes(database: Database) -> list[Recipe]:
    return [
        Recipe(
            one.name,
            one.role,
            _SIDES[one.tenant],
            {"request.jwt.claims": json.dumps(one.claims)}
            if one.claims is not None
            else dict(one.settings or {}),
        )
        for one in database.audit.identities
    ]


@contextmanager
def _until_interrupted(found: _Found) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        found.partial = f"interrupted ({found.stage}): what is not here was not looked at"
