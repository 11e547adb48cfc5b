"""`test`, start to end: a world of two tenants, the races that triggers ask for, every schedule judged.

Knows a subject in a scratch database, never the live one. Promises that what was found before an interruption is told, marked as partial.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from reconciler.engine.subject import Subject
from reconciler.engine.work import Told
from reconciler.errors import ReconcilerError, Usage
from reconciler.lab import material, pairs, triggers
from reconciler.lab.explore import Limits
from reconciler.lab.invariants import asked
from reconciler.lab.race import explored, replayed
from reconciler.lab.report import Case, Tested
from reconciler.lab.told import case_of, case_of_replay
from reconciler.lab.values import LEVELS, Isolation, Race
from reconciler.pg import connect
from reconciler.settings import Database
from reconciler.shadow.tenants import world
from reconciler.shadow.tenants.values import World

USUAL = Limits(schedules=60, preemptions=6)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be tried. `race` is a name or a pattern (* and ?), `schedule` the one schedule of it that is replayed."""

    race: str = "*"
    schedule: str = ""
    levels: tuple[Isolation, ...] = LEVELS
    limits: Limits = USUAL
    seconds: float = 600.0


EVERYTHING = Wanted()


@dataclass(slots=True)
class _Found:
    """What is known so far."""

    cases: list[Case] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    partial: str = ""
    stage: str = ""


def tested(
    subject: Subject, database: Database, wanted: Wanted = EVERYTHING, *, told: Told = lambda stage: None
) -> Tested:
    """Everything that was tried. An interruption (Ctrl-C) ends it, and what was found until then is returned."""
    began = time.monotonic()
    found = _Found()

    def tell(stage: str) -> None:
        found.stage = stage
        told(stage)

    with (
        _until_interrupted(found),
        world.build(
            subject.shadow,
            subject.start,
            tenant_column=database.tenants_by,
            declared=database.audit.tables,
            told=tell,
        ) as made,
    ):
        tell("making races from the triggers")
        races = _races(made, subject, found, wanted)
        if not races and wanted.race != "*":
            raise Usage(f"no race is called {wanted.race}", hint="reconciler test --list shows their names")
        for number, race in enumerate(races, start=1):
            if time.monotonic() - began > wanted.seconds:
                found.untried.append(
                    f"{len(races) - number + 1} races: the time given ({wanted.seconds:g} s) was over"
                )
                break
            tell(f"race {number} of {len(races)}: {race.name}, {race.isolation}")
            _run(subject, made, race, wanted, found)
    return Tested(
        subject.name, subject.shadow.major, tuple(found.cases), tuple(found.untried), found.partial, time.monotonic() - began
    )  # fmt: skip


def listed(subject: Subject, database: Database, *, told: Told = lambda stage: None) -> tuple[Race, ...]:
    """The races there are, at no level in particular."""
    with world.build(
        subject.shadow, subject.start, tenant_column=database.tenants_by, declared=database.audit.tables, told=told
    ) as made:  # fmt: skip
        return tuple(_races(made, subject, _Found(), Wanted(levels=LEVELS[:1])))


def invariants(subject: Subject) -> Mapping[str, str]:
    """The declared ones, by a name that says whose they are. The same query of several triggers counts once."""
    seen: dict[str, str] = {}
    for design in subject.designs:
        for one in design.invariants:
            seen.setdefault(one.query, f"{one.name} ({design.trigger})")
    return {name: query for query, name in seen.items()}


def _races(made: World, subject: Subject, found: _Found, wanted: Wanted) -> list[Race]:
    with connect(made.both, application_name="reconciler lab") as connection:
        holding = {}
        for name, query in invariants(subject).items():
            broken = asked(connection, name, query)
            if broken is None:
                holding[name] = query
            else:
                found.untried.append(f"{broken}; that is so on made-up rows before anything was tried")
        stuff = material.read(connection, made)
        races = []
        for one in pairs.races(connection, stuff, triggers.read(connection), holding):
            if not _matches(one.name, wanted.race):
                continue
            if one.race is None:
                found.untried.append(f"{one.name}: {one.why}")
            else:
                levels = LEVELS[:1] if one.name.endswith(pairs.OPPOSITE) else wanted.levels
                races += [replace(one.race, isolation=level) for level in levels if level in wanted.levels]
    return races


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatch.fnmatchcase(name, pattern)


def _run(subject: Subject, made: World, race: Race, wanted: Wanted, found: _Found) -> None:
    began = time.monotonic()
    try:
        with subject.shadow.copy(made.both) as database:
            if wanted.schedule:
                judged = replayed(database, race, wanted.schedule)
                found.cases.append(case_of_replay(race, judged, time.monotonic() - began))
            else:
                every = explored(database, race, limits=wanted.limits)
                found.cases.append(case_of(every, time.monotonic() - began))
    except ReconcilerError as error:
        found.untried.append(f"{race.name}, {race.isolation}: {error.what}")


@contextmanager
def _until_interrupted(found: _Found) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        found.partial = f"interrupted ({found.stage}): what is not here was not tried"
