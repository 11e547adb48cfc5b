"""Faults drawn and judged one after the other, for one migration after the other."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from cluster import Cluster
from declared import Change
from disturbed import Site
from report import Entry
from runs import Killable, Psql
from sampler import Sampler
from scripts import Script
from state import ROUTES, Direction, Route
from strikes import Fault, Striker, drawn
from wire import Wire
from writers import Writer, writing

import reconciler
from reconciler import migrate
from reconciler.embedded import Server
from reconciler.engine.planning import propose
from reconciler.engine.work import looked, opened
from reconciler.model import Migration
from reconciler.pg import Url, connect
from reconciler.plan.build import Bench as Ends
from reconciler.plan.build import build
from reconciler.settings import Database
from reconciler.shadow.rehearse import Expected

PLANNED = datetime(2026, 11, 26, 4, tzinfo=UTC)
TRIES = 12
TWICE = 0.5
"""How often the run after a fault meets another one."""
SOUND = ("done", "Waiting", "OutcomeUnknown")


@dataclass
class Bench:
    """What all faults share: the server they happen to, the one where plans are rehearsed, and who applies."""

    cluster: Cluster
    shadow: Server
    wire: Wire
    killable: Killable
    rival: Killable
    folder: Path
    plans: Path

    def close(self) -> None:
        for one in (self.killable, self.rival, self.wire):
            one.close()


def planned(change: Change | Script, bench: Bench, database: Database) -> Migration:
    """The migration for a database that is as `change.live` says. What this program planned before, it need not plan again."""
    if isinstance(change, Script):
        return change.migration("20261126040000")
    told = repr(
        (
            change.live,
            change.declared,
            change.form,
            sorted(change.settings.items()),
            bench.shadow.major,
            _program(),
        )
    )
    kept = bench.plans / hashlib.sha256(told.encode()).hexdigest()[:32]
    for file in kept.glob("*.sql"):
        return migrate.parse(file.read_text(), file.name)
    migration = _proposed(database) if change.form == "plain" else _in_form(database, change.form)
    kept.mkdir()
    migrate.write(migration, kept)
    return migration


def _project(
    change: Change | Script, bench: Bench, url: Url, folder: Path
) -> tuple[Database, dict[str, Any]]:
    """What is declared, as the configuration and as its settings for another process."""
    declared, settings = ("", {}) if isinstance(change, Script) else (change.declared, change.settings)
    (folder / "all.sql").write_text(declared)
    own = {"prune": True, "removal": "immediate", **settings}
    database = Database(name="faults", url=url, schema_dir=folder, shadow=bench.shadow.url, **own)
    return database, {"schema_dir": str(folder), "shadow": bench.shadow.url.reveal(), **own}


def _proposed(database: Database) -> Migration:
    made = propose(database, now=PLANNED)
    if made.migration is None or made.rehearsal is None or not made.rehearsal.passed:
        raise AssertionError(f"no plan that passes: {made.rehearsal}")
    return made.migration


def _in_form(database: Database, form: Literal["plain", "quarantine"]) -> Migration:
    with opened(looked(database, trust="reviewed"), trust="reviewed") as work:
        plan, rehearsal = build(
            Ends(
                work.shadow, work.copy_of_live(), work.declared(), Expected(work.live, work.wanted, work.scope),
                fills=work.declarations.fills, downs=work.declarations.downs, form=form, sizes=work.sizes, limits=database.limits,
            )
        )  # fmt: skip
    if not rehearsal.passed:
        raise AssertionError(f"no plan that passes: {rehearsal}")
    return migrate.compose(plan, rehearsal, now=PLANNED)


@cache
def _program() -> str:
    """Another program may plan otherwise."""
    total = hashlib.sha256()
    for file in sorted(Path(reconciler.__file__).parent.rglob("*.py")):
        total.update(file.read_bytes())
    return total.hexdigest()


@contextmanager
def disturbed(change: Change | Script, route: Route, bench: Bench) -> Iterator[Trial]:
    """The change on a database of its own, with writers at rest."""
    with ExitStack() as until_the_end:
        url = until_the_end.enter_context(bench.cluster.database("disturbed"))
        with connect(url) as session:
            session.execute(change.live.encode())
        folder = bench.folder / f"{len(list(bench.folder.iterdir()))}"
        (folder / "schema").mkdir(parents=True)
        (folder / "migrations").mkdir()
        database, project = _project(change, bench, url, folder / "schema")
        migration = planned(change, bench, database)
        site = Site(
            bench.cluster, bench.wire, url, route, migration, folder / "migrations", project=project, unsteady=change.unsteady, kept=change.kept,
            exact=change.kept or isinstance(change, Change),
            first=isinstance(change, Script) and change.first,
            killable=bench.killable, psql=Psql(bench.shadow.binaries.program("psql")),
        )  # fmt: skip
        writers = until_the_end.enter_context(writing(url, change.writes, change.name))
        sampler = Sampler(url)
        until_the_end.callback(sampler.close)
        striker = Striker(site, lambda direction: bench.rival.start(url, site.file, direction))
        until_the_end.callback(striker.close)
        yield Trial(change.name, site, writers, sampler, striker)


@dataclass
class Trial:
    """One migration under faults. `sound` until a fault broke the law: then the database is good for nothing more."""

    name: str
    site: Site
    writers: tuple[Writer, ...]
    sampler: Sampler
    striker: Striker
    sound: bool = True

    def one(self, number: int) -> Entry:
        """The fault of that number, and everything until the migration is done all the same."""
        site, began = self.site, time.monotonic()
        chance = random.Random(f"{self.name} {site.route} {number}")
        direction = site.next
        known = site.known[direction]
        order = list(range(len(known.trace)))
        random.Random(f"{self.name} {direction}").shuffle(order)
        boundary = order[number // 2 % len(order)]
        faults = [drawn(chance, known, site.route, boundary)]
        if chance.random() < TWICE:
            faults.append(drawn(chance, known, site.route, None))
        site.prepare(direction)
        for writer in self.writers:
            writer.start()
        met, ends, found, breaches = self._until_done(direction, faults, chance)
        for writer in self.writers:
            writer.pause()
        if not site.at_rest():
            breaches.append("left over: a session that applies")
        if not breaches:
            site.done(direction)
            breaches += site.breaches(direction, self.writers)
        breaches += self.sampler.breaches
        self.sound = not breaches
        return {
            "change": self.name, "route": site.route, "number": number, "direction": direction,
            "major": site.cluster.server.major, "faults": [asdict(fault) for fault in faults], "met": met, "found": found,
            "ends": ends, "breaches": breaches, "acknowledged": sum(writer.acknowledged for writer in self.writers),
            "looks": self.sampler.looks, "boundaries": len(order), "seconds": round(time.monotonic() - began, 3),
        }  # fmt: skip

    def _until_done(
        self, direction: Direction, faults: Sequence[Fault], chance: random.Random
    ) -> tuple[list[bool], list[str], list[str], list[str]]:
        site, met, ends, found = self.site, list[bool](), list[str](), list[str]()
        for attempt in range(TRIES):
            if attempt > len(faults):  # the server is still repeating its log
                time.sleep(0.3)
            fault = faults[attempt] if attempt < len(faults) else None
            ended, struck = self.striker.run(direction, fault)
            if fault is not None:
                met.append(struck)
            ends += [one.said or f"killed by {-one.status}" for one in ended]
            wrong = [one for one in ended if not self._sound_end(one.said)]
            if wrong:
                return met, ends, found, [f"does not continue: {one.said}" for one in wrong]
            over = any(one.done for one in ended)
            if over and (site.route == "command" or attempt >= len(faults) - 1):
                return met, ends, [*found, "done"] if fault else found, []
            if fault is not None and chance.random() < 0.6:
                if not site.at_rest():
                    return met, ends, found, ["left over: a session that applies"]
                state, breaches = site.found(direction)
                found.append(state)
                if breaches:
                    return met, ends, found, breaches
            elif fault is not None:
                found.append("run again at once")
        return met, ends, found, [f"does not continue: {TRIES} runs, the last {ends[-1]}"]

    def _sound_end(self, said: str) -> bool:
        if self.site.route == "psql":  # psql says what the server said; whether it gets there counts
            return said != "hangs"
        return not said or said.split(":")[0] in SOUND


Changes = Mapping[str, Change | Script]


def swept(
    bench: Bench, changes: Changes, share: Callable[[str, Route], range], log: Callable[[Entry], None]
) -> None:
    """For each change and route the faults of the numbers that `share` gives; a database on which the law was broken is made anew."""
    for name, change in changes.items():
        stepwise = True
        for route in ROUTES:
            numbers = list(share(name, route)) if possible(change, route) else []
            if route == "command" and not stepwise:
                continue  # `migrate` alone meets everything that can happen to one transaction
            while numbers:
                try:
                    with disturbed(change, route, bench) as trial:
                        stepwise = trial.site.stepwise
                        while numbers and trial.sound:
                            log(trial.one(numbers.pop(0)))
                except Exception as error:  # noqa: BLE001 - it is a verdict about this change: the others are judged all the same
                    why = f"broken: {type(error).__name__}: {error}"[:2000]
                    log(nothing(name, route, numbers[0] if numbers else -1, why))
                    break


def possible(change: Change | Script, route: Route) -> bool:
    if isinstance(change, Script):  # its effects count: it cannot be rehearsed
        return route == "apply" or (route == "psql" and change.again)
    return True


def nothing(change: str, route: Route, number: int, why: str) -> Entry:
    """The entry of a fault that nobody could do."""
    return {
        "change": change, "route": route, "number": number, "faults": [], "met": [], "found": [], "ends": [],
        "breaches": [why], "acknowledged": 0, "seconds": 0.0,
    }  # fmt: skip
