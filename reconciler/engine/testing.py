"""`test`, start to end: declared scenarios; each trigger tried by itself; the races that triggers ask for, every schedule judged.

Knows a subject in a scratch database, never the live one. Promises that what was found before an interruption is told, marked as partial.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from reconciler.declare.scenario import Scenario
from reconciler.engine.subject import Subject
from reconciler.engine.work import Told
from reconciler.errors import ReconcilerError, Stalled, Usage
from reconciler.lab import drafts, instrument, material, pairs, scenario, trials, triggers
from reconciler.lab.advice import Fresh, advised
from reconciler.lab.explore import Limits
from reconciler.lab.invariants import asked
from reconciler.lab.race import explored, replayed
from reconciler.lab.remedies import Called, called
from reconciler.lab.report import Advice, Case, Tested
from reconciler.lab.scenario import Wrong
from reconciler.lab.told import INSTRUMENTED, case_of, case_of_replay, case_of_scenario, case_of_trial
from reconciler.lab.triggers import Trigger
from reconciler.lab.values import LEVELS, Isolation, Race
from reconciler.pg import Url, connect
from reconciler.settings import Database
from reconciler.shadow.tenants import world
from reconciler.shadow.tenants.values import World

USUAL = Limits(schedules=60, preemptions=6)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be tried. `name` is a name or a pattern (* and ?), `schedule` the one schedule of a race that is replayed;
    `bulk` how many rows one statement inserts, `sessions` 3 for races of three, too."""

    name: str = "*"
    schedule: str = ""
    levels: tuple[Isolation, ...] = LEVELS
    limits: Limits = USUAL
    seconds: float = 600.0
    bulk: int = 10_000
    sessions: int = 2

    def matches(self, name: str) -> bool:
        return name == self.name or fnmatch.fnmatchcase(name, self.name)


EVERYTHING = Wanted()


@dataclass(slots=True)
class _Run:
    """One run, and what is known so far."""

    subject: Subject
    database: Database
    wanted: Wanted
    told: Told
    began: float = field(default_factory=time.monotonic)
    cases: list[Case] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    advice: dict[str, Advice] = field(default_factory=dict)
    partial: str = ""
    stage: str = ""

    def tell(self, stage: str) -> None:
        self.stage = stage
        self.told(stage)

    @property
    def late(self) -> bool:
        return time.monotonic() - self.began > self.wanted.seconds

    def result(self) -> Tested:
        return Tested(
            self.subject.name,
            self.subject.shadow.major,
            tuple(self.cases),
            tuple(dict.fromkeys(self.untried)),
            self.partial,
            time.monotonic() - self.began,
        )


def tested(
    subject: Subject, database: Database, wanted: Wanted = EVERYTHING, *, told: Told = lambda stage: None
) -> Tested:
    """Everything that was tried. An interruption (Ctrl-C) ends it, and what was found until then is returned.

    Raises Usage when nothing has the name that is wanted.
    """
    run = _Run(subject, database, wanted, told)
    with _until_interrupted(run):
        for one in subject.scenarios:
            if wanted.matches(one.name):
                _scenario(run, one)
        if wanted.name == "*" or not run.cases:
            with _world(run) as made:
                _triggers(run, made)
                _races(run, made)
    if not run.cases and not run.untried and wanted.name != "*":
        raise Usage(f"nothing is called {wanted.name}", hint="reconciler test --list shows all names")
    return run.result()


def listed(subject: Subject, database: Database, *, told: Told = lambda stage: None) -> tuple[str, ...]:
    """The names of all scenarios, triggers and races."""
    run = _Run(subject, database, Wanted(levels=LEVELS[:1]), told)
    with _world(run) as made:
        races = _made(run, made)
        with connect(made.both, application_name="reconciler lab") as connection:
            every = triggers.read(connection)
    return (
        *(one.name for one in subject.scenarios),
        *(str(one.id) for one in every),
        *(r.name for r in races),
    )


def invariants(subject: Subject) -> Mapping[str, str]:
    """The declared ones, by a name that says whose they are. The same query of several triggers counts once."""
    seen: dict[str, str] = {}
    for design in subject.designs:
        for one in design.invariants:
            seen.setdefault(one.query, f"{one.name} ({design.trigger})")
    return {name: query for query, name in seen.items()}


@contextmanager
def _world(run: _Run) -> Iterator[World]:
    with world.build(
        run.subject.shadow,
        run.subject.start,
        tenant_column=run.database.tenants_by,
        declared=run.database.audit.tables,
        by_column=False,
        told=run.tell,
    ) as made:
        yield made


def _scenario(run: _Run, one: Scenario) -> None:
    """At each of its levels, each time in a database of its own."""
    began = time.monotonic()
    levels = [level for level in one.levels or LEVELS if level in run.wanted.levels]
    for level in levels if one.race else levels[:1] if not one.levels else levels:
        run.tell(f"scenario: {one.name}, {level}")
        try:
            with run.subject.shadow.copy(run.subject.start) as database:
                wrong = scenario.prepared(database, one)
                if wrong is not None:
                    run.cases.append(case_of_scenario(one, level, (wrong,), time.monotonic() - began))
                elif one.race:
                    race = scenario.race(one, level, invariants(run.subject), one.name)
                    case = _played(run, database, race, lambda: _given(run, one))
                    run.cases.append(replace(case, place=one.source))
                else:
                    found = scenario.stepped(database, one, level, invariants(run.subject))
                    run.cases.append(case_of_scenario(one, level, found, time.monotonic() - began))
        except Stalled as error:  # what somebody wrote to be tried and cannot run is no success
            wrong = Wrong(f"it cannot run: {error.what}", one.source)
            run.cases.append(case_of_scenario(one, level, (wrong,), time.monotonic() - began))
        except ReconcilerError as error:
            run.untried.append(f"{one.name}, {level}: {error.what}")


def _triggers(run: _Run, made: World) -> None:
    """Each trigger by itself, all in one copy: nothing of it is committed."""
    if run.wanted.schedule:
        return
    with (
        run.subject.shadow.copy(made.both) as database,
        trials.open_bench(database, made, _holding(run, made), run.subject.designs, run.wanted.bulk) as bench,
    ):
        known: dict[str, Trigger] = {}
        for trigger in bench.triggers:
            if not run.wanted.matches(str(trigger.id)):
                continue
            if run.late:
                run.untried.append(f"{trigger.id}: the time given ({run.wanted.seconds:g} s) was over")
                continue
            run.tell(f"trigger {trigger.id}")
            began = time.monotonic()
            for tried in trials.every(bench, trigger, known):
                now = time.monotonic()
                run.cases.append(case_of_trial(tried, now - began, run.subject.places.get(trigger.id)))
                began = now


def _holding(run: _Run, made: World) -> dict[str, str]:
    """The invariants that hold on made-up rows before anything is tried."""
    with connect(made.both, application_name="reconciler lab") as connection:
        found = {}
        for name, query in invariants(run.subject).items():
            broken = asked(connection, name, query)
            if broken is None:
                found[name] = query
            else:
                run.untried.append(f"{broken}; that is so on made-up rows before anything was tried")
    return found


def _made(run: _Run, made: World) -> list[Race]:
    """The races of all triggers, once for each level."""
    holding = _holding(run, made)
    with connect(made.both, application_name="reconciler lab") as connection:
        stuff = material.read(connection, made)
        races = []
        for one in pairs.races(connection, stuff, triggers.read(connection), holding, run.wanted.sessions):
            if not run.wanted.matches(one.name):
                continue
            if one.race is None:
                run.untried.append(f"{one.name}: {one.why}")
            else:
                levels = LEVELS[:1] if one.name.endswith(drafts.OPPOSITE) else LEVELS
                races += [
                    replace(one.race, isolation=level) for level in levels if level in run.wanted.levels
                ]
    return races


def _races(run: _Run, made: World) -> None:
    run.tell("making races from the triggers")
    races = _made(run, made)
    for number, race in enumerate(races, start=1):
        if run.late:
            left = len(races) - number + 1
            run.untried.append(f"{left} races: the time given ({run.wanted.seconds:g} s) was over")
            return
        run.tell(f"race {number} of {len(races)}: {race.name}, {race.isolation}")
        try:
            with run.subject.shadow.copy(made.both) as database:
                run.cases.append(_played(run, database, race, lambda: run.subject.shadow.copy(made.both)))
        except ReconcilerError as error:
            run.untried.append(f"{race.name}, {race.isolation}: {error.what}")


def _played(run: _Run, database: Url, race: Race, fresh: Fresh) -> Case:
    """`fresh` gives the database anew, to try what would mend a race."""
    began = time.monotonic()
    if run.wanted.schedule:
        with fresh() as other:
            between = _reading_twice(other, race) if run.wanted.schedule.startswith(INSTRUMENTED) else ()
        judged = replayed(database, race, run.wanted.schedule.removeprefix(INSTRUMENTED), between)
        return case_of_replay(race, judged, time.monotonic() - began, instrumented=bool(between))
    every = explored(database, race, limits=run.wanted.limits)
    case = case_of(every, time.monotonic() - began)
    if case.verdict == "passed" and race.isolation == "read committed":
        with fresh() as other:
            between = _reading_twice(other, race)
        if between:
            with fresh() as other:
                every = explored(other, race, limits=run.wanted.limits, functions=between)
            closer = case_of(every, time.monotonic() - began, instrumented=True)
            case = closer if closer.verdict == "failed" else case
    if case.verdict != "failed":
        return case
    if (known := run.advice.get(race.name)) is None:
        run.tell(f"what mends {race.name}")
        known = run.advice[race.name] = advised(fresh, race, every.worst, run.wanted.limits)
    return replace(case, advice=known)


def _reading_twice(database: Url, race: Race) -> tuple[Called, ...]:
    """The functions of a race that read twice without a write between, where no gate parts them."""
    with connect(database, application_name="reconciler lab") as admin, admin.transaction():
        material.prepared(admin, race.given)
    return tuple(one for one in called(database, race) if instrument.places(one))


@contextmanager
def _given(run: _Run, one: Scenario) -> Iterator[Url]:
    with run.subject.shadow.copy(run.subject.start) as database:
        scenario.prepared(database, one)
        yield database


@contextmanager
def _until_interrupted(run: _Run) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        run.partial = f"interrupted ({run.stage}): what is not here was not tried"
