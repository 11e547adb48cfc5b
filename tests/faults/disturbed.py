"""One migration on one database of its own: what an undisturbed UP and DOWN leave at each step, and whether a disturbed one did too.

Every transactional step of the migration counts itself, and refuses to run in a session that does not hold the applier's lock.
Promises that what it calls a breach is one of law 6: a lost row, a state between steps, an effect that came twice, two appliers.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import Cluster
from judge import difference, dump
from runs import Killable, Psql, Run
from state import (
    AT_WORK,
    COUNTING,
    DIRECTIONS,
    IN_QUARANTINE,
    LEFT_OVER,
    QUARANTINED,
    TABLES,
    Digests,
    Direction,
    Known,
    Route,
    between,
    called,
    counted,
)
from wire import Wire
from writers import FIRST, Writer

from reconciler import migrate
from reconciler.catalog import snapshot as catalog
from reconciler.model import Applied, Migration, Statement
from reconciler.pg import Url, ident, literal
from reconciler.run import steps


class Site:
    """Where one migration is disturbed again and again, up and down in turns."""

    def __init__(
        self, cluster: Cluster, wire: Wire, url: Url, route: Route, migration: Migration, folder: Path,
        *, unsteady: frozenset[str] = frozenset(), exact: bool = True, kept: bool = False, first: bool = False, killable: Killable, psql: Psql,
        project: Mapping[str, object],
    ) -> None:  # fmt: skip
        self.cluster, self.wire, self.url, self.route = cluster, wire, url, route
        self.through = url.with_options(host="127.0.0.1", port=str(wire.port))
        self.migration = counted(migration) if route == "apply" else migration
        self._first, self.project = first, project
        self._unsteady, self._killable, self._psql = unsteady, killable, psql
        self.file = migrate.write(self.migration, folder)
        self._scripts = {}
        for direction in DIRECTIONS:
            self._scripts[direction] = folder.parent / f"{direction}.sql"
            self._scripts[direction].write_text(migrate.render_section(self.migration, direction))
        self.known = {direction: Known() for direction in DIRECTIONS}
        self.next: Direction = "up"
        self._ticks: Counter[tuple[str, int]] = Counter()
        self._runs = 0
        cluster.ask(url, COUNTING)
        cluster.reading(url, migrate.ensure)
        if not exact:  # what the first UP leaves for good is there from the second on
            for direction in DIRECTIONS:
                self.undisturbed(direction)
        self._learn(kept)

    @property
    def stepwise(self) -> bool:
        return any(len(self.known[direction].states) > 2 for direction in DIRECTIONS)

    @property
    def applicant(self) -> str:
        """What the session that applies is called."""
        return "psql" if self.route == "psql" else "reconciler apply"

    def start(self, direction: Direction) -> Run:
        """The run that may be disturbed, through the wire."""
        if self.route != "psql":
            project = self.project if self.route == "command" else None
            return self._killable.start(self.through, self.file, direction, project)
        return self._psql.start(self.through, self._scripts[direction])

    def prepare(self, direction: Direction) -> None:
        """What must be so before a run begins."""
        if self._first and direction == "up" and self.route == "apply":
            self.cluster.ask(self.url, "drop schema if exists reconciler cascade")
            self._runs = 0

    def done(self, direction: Direction) -> None:
        """A run came to its end: what must be true now is counted."""
        self._runs += self.route != "psql"
        for step in steps(self.script(direction)):
            if self.route == "apply" and step.transactional:
                self._ticks[direction, step.number] += 1
        self.next = "down" if direction == "up" else "up"

    def script(self, direction: Direction) -> tuple[Statement, ...]:
        return self.migration.up if direction == "up" else self.migration.down

    def at_rest(self, seconds: float = 15.0) -> bool:
        """Waits until no session applies any more: a killed one's backend ends with the statement it is at."""
        deadline = time.monotonic() + seconds
        while self.cluster.ask(self.url, AT_WORK)[0][0]:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def found(self, direction: Direction) -> tuple[str, list[str]]:
        """Where an interrupted run left the database, and how that breaks law 6. Nobody is applying."""
        now = self._digests()
        known = self.known[direction]
        states, ways = known.states, (known.states, known.again)
        last = len(states) - 1
        if self.route == "psql":
            for way in ways:
                if now in way:
                    return called(way.index(now), last, exact=True), []
            for number, step in enumerate(steps(self.script(direction))):
                if not step.transactional and any(between(now, way[number], way[number + 1]) for way in ways):
                    return called(number, last, exact=False), []
            return "unknown", ["unknown state: between no two steps of the file"]
        number, breaches = self._recorded(direction, last)
        if any(now == way[number] for way in ways):
            return called(number, last, exact=True), breaches
        alone = number < last and not steps(self.script(direction))[number].transactional
        if alone and any(between(now, way[number], way[number + 1]) for way in ways):
            return called(number, last, exact=False), breaches
        odd = sorted(str(id) for id in {*now.items()} ^ {*states[number].items()})
        return "unknown", [
            *breaches,
            f"unknown state: history says step {number} of {last}, but differs: {odd[:4]}",
        ]

    def _recorded(self, direction: Direction, last: int) -> tuple[int, list[str]]:
        """How many steps the history says are done, for the run that is under way."""
        rows = self._history()
        if len(rows) == self._runs:
            return 0, []
        row = rows[-1]
        if len(rows) != self._runs + 1 or row.direction != direction or row.steps != last:
            return 0, [
                f"unknown state: {len(rows)} rows of history after {self._runs} runs, the last {row.direction}"
            ]
        return row.steps_done, []

    def breaches(self, direction: Direction, writers: Sequence[Writer]) -> list[str]:
        """What is not as after an undisturbed run, at the end of this direction; writers are at rest."""
        known = self.known[direction]
        breaches: list[str] = []
        if self._digests() != known.states[-1]:
            breaches.append("unknown state: the end is not that of an undisturbed run")
        if other := difference(self._dump(), known.dump):
            breaches.append(f"unknown state: pg_dump differs: {other[:600]}")
        breaches += [f"left over: {row[0]}" for row in self.cluster.ask(self.url, LEFT_OVER)]
        if self.cluster.ask(self.url, QUARANTINED)[0][0]:
            breaches += [f"left over: {row[0]}" for row in self.cluster.ask(self.url, IN_QUARANTINE)]
        rows = self._rows()
        breaches += [
            f"lost rows or double effect: rows of {table} are not as after an undisturbed run"
            for table in sorted(known.rows.keys() | rows.keys()) if rows.get(table) != known.rows.get(table)
        ]  # fmt: skip
        if self.route != "psql":
            history = self._history()
            if len(history) != self._runs or any(row.steps_done != row.steps for row in history):
                breaches.append(f"double apply: {len(history)} rows of history after {self._runs} runs")
            ticks = Counter(
                {
                    (way, n): times
                    for way, n, times in self.cluster.ask(
                        self.url, "select direction, step, n from harness.ticks order by 1, 2"
                    )
                }
            )
            if ticks != self._ticks:
                breaches.append(
                    f"double apply: steps ran {dict(ticks - self._ticks)} times too often, {dict(self._ticks - ticks)} too few"
                )
        for writer in writers:
            breaches += [
                f"lost row: {one}"
                for one in writer.lost(direction, lambda sql: self.cluster.ask(self.url, sql))[:5]
            ]
        return breaches

    def undisturbed(self, direction: Direction) -> list[Digests]:
        """Runs it in this process, and returns the state before each step and at the end."""
        states: list[Digests] = []
        run = migrate.apply if direction == "up" else migrate.rollback
        self.prepare(direction)
        run(self.url, self.migration, fence=lambda inside: states.append(self._digests()))
        if self.route != "psql":
            self.done(direction)
        return [*states, self._digests()]

    def _learn(self, kept: bool) -> None:
        """Up and down three times, undisturbed: the states at each step, once more with what the way back has kept, which comes back
        at an earlier step, then what goes over the wire and what stands at the ends."""
        start_rows, start = self._rows(), self._dump()
        for direction in DIRECTIONS:
            self.known[direction].states = self.undisturbed(direction)
        for direction in DIRECTIONS:
            self.known[direction].again = self.undisturbed(direction)
        for direction in DIRECTIONS:
            known = self.known[direction]
            self.prepare(direction)
            self.wire.begin(name=self.applicant)
            ended = self.start(direction).ended()
            if not ended.done:
                raise AssertionError(f"an undisturbed {direction} fails: {ended.said}")
            assert self.wire.main is not None
            known.trace, known.bytes = self.wire.trace, dict(self.wire.main.bytes)
            known.dump, known.rows = self._dump(), self._rows()
            self.done(direction)
            if self._digests() != known.states[-1]:
                raise AssertionError(f"an undisturbed {direction} ends otherwise the second time")
        assert difference(self.known["down"].dump, start) == ""
        assert not kept or self.known["down"].rows == start_rows

    def _digests(self) -> Digests:
        return self.cluster.reading(
            self.url, lambda session: dict(catalog.read(session, depth="digests").digests)
        )

    def _dump(self) -> frozenset[str]:
        return dump(self.url, "--exclude-schema=reconciler_quarantine")

    def _history(self) -> tuple[Applied, ...]:
        return self.cluster.reading(self.url, migrate.read)

    def _rows(self) -> Mapping[str, str]:
        """A hash over the rows of each table that are not the writers'."""
        found = {}
        for schema, table, columns in self.cluster.ask(self.url, TABLES):
            if table in self._unsteady:
                continue
            steady = [
                f"pg_catalog.concat('{index}:', {ident(name)}::text)"
                for index, name in enumerate(columns)
                if name not in self._unsteady
            ]
            ours = f"where id < {FIRST}" if "id" in columns else ""
            line = f"pg_catalog.concat_ws(',', {', '.join(steady) or literal('')})"
            sql = f"select pg_catalog.string_agg(line, ';' order by line) from (select {line} as line from {ident(schema, table)} {ours}) as l"
            text = str(self.cluster.ask(self.url, sql)[0][0])
            found[f"{schema}.{table} ({', '.join(columns)})"] = hashlib.sha256(text.encode()).hexdigest()
        return found
