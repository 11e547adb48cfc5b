"""A race explored: every schedule is judged by whether some order of the same transactions, one after another, comes to the same.

The oracle needs nobody's invariant (Papadimitriou, The Serializability of Concurrent Database Updates, 1979; up to what no transaction
decides, see `alike`). It compares the rows of every table that is written, and what each statement answered. A transaction that PostgreSQL
ends with 40001 or 40P01 is its caller's to run again, so it counts as absent; where others have passed over what it held (SKIP LOCKED), the
outcome counts after it was run again. Declared invariants are asked after every schedule, too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab import gates, instrument
from reconciler.lab.alike import Canon
from reconciler.lab.explore import USUAL, Limits, follow, schedules
from reconciler.lab.invariants import Invariants
from reconciler.lab.locks import Cycle, cycles, held
from reconciler.lab.material import prepared
from reconciler.lab.reach import Reach, reach
from reconciler.lab.remedies import Called
from reconciler.lab.saved import Saved, digests, references, restore, save, state
from reconciler.lab.stage import Stage
from reconciler.lab.values import Race, Ran
from reconciler.model import ObjectId
from reconciler.pg import Url, connect

Connection = psycopg.Connection[TupleRow]
Kind = Literal["serial", "retry", "unclear", "deadlock", "failure", "anomaly", "invariant"]
"""As some serial order; so, but for transactions that must be run again; nobody can tell, because the same serial order does not come to
the same twice; as some serial order, after a deadlock; so, but for a transaction that failed as in no serial order; as no serial order; or a
declared invariant does not hold."""
_WATCHED = 100
"""Beside how many tables that a race does not write it is looked at whether they stay as they are."""
WORST: tuple[Kind, ...] = ("invariant", "anomaly", "failure", "deadlock", "unclear", "retry", "serial")


@dataclass(frozen=True, slots=True)
class Judged:
    """One schedule and what it is. `says` is a sentence; `difference` are the lines of the outcome that the nearest serial order
    does not have, and the other way round; `surplus` how many more rows each table has than there."""

    ran: Ran
    kind: Kind
    says: str
    difference: tuple[str, ...] = ()
    surplus: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explored:
    """All schedules of a race that were tried. `written` are the tables that its transactions write; `left` says how many beginnings of further
    schedules were known (0: there are no others). `foreseen` are deadlocks known before any schedule was played."""

    race: Race
    judged: tuple[Judged, ...]
    written: tuple[ObjectId, ...]
    left: int = 0
    foreseen: tuple[Cycle, ...] = ()

    @property
    def worst(self) -> Judged:
        """The gravest, and among those the one with the fewest turns."""
        return min(self.judged, key=lambda j: (WORST.index(j.kind), len(j.ran.choices), j.ran.choices))

    def count(self, kind: Kind) -> int:
        return sum(1 for judged in self.judged if judged.kind == kind)


class Track:
    """A scratch database prepared for one race, in which schedules can be played and judged."""

    def __init__(self, database: Url, race: Race, reached: Reach, functions: Sequence[Called] = ()) -> None:
        self.race = race
        self._admin = connect(database, application_name="reconciler lab")
        self.written = reached.written
        self._gated = reached.gated
        self._invariants = Invariants(race.invariants)
        self._saved: Saved = save(self._admin, self.written)
        self._others = reached.others if len(reached.others) <= _WATCHED else ()
        self._untouched = save(self._admin, self._others, "other")
        self._digests = digests(self._admin, self._others)
        before = state(self._admin, self._saved)
        self._canon = Canon(self._saved.columns, references(self._admin), before, datetime.now(UTC))
        meanings = gates.install(self._admin, reached.gated)
        meanings |= instrument.install(self._admin, functions, len(meanings) + 1)
        self._stage = Stage(database, meanings, len(race.actors))
        self._serial: dict[frozenset[int], dict[str, tuple[int, ...]]] = {}
        self._steady: bool | None = None

    def close(self) -> None:
        self._stage.close()
        self._admin.close()

    def play(self, choose: Callable[[Sequence[int], int], int], race: Race | None = None) -> Ran:
        """One schedule from the rows that stood at first. The first that ends in a deadlock is played once more, patiently, and so is
        every one after it: whom PostgreSQL ends must not depend on the load of the machine."""
        restore(self._admin, self._saved)
        ran = self._stage.play(race or self.race, choose, self._broken)
        if ran.deadlock is not None and not self._stage.patient:
            self._stage.patient = True
            restore(self._admin, self._saved)
            ran = self._stage.play(race or self.race, follow(ran.choices), self._broken)
        return ran

    def cycles(self) -> tuple[Cycle, ...]:
        """Deadlocks that are to be foreseen from the locks of each transaction alone."""
        orders = []
        for actor in self.race.actors:
            taken: list[frozenset[str]] = []

            def note(pid: int, taken: list[frozenset[str]] = taken) -> None:
                known = frozenset().union(*taken)
                taken.append(held(self._admin, self._gated, pid) - known)

            restore(self._admin, self._saved)
            self._stage.play(replace(self.race, actors=(actor,)), _one_after_another, seen=note)
            orders.append(tuple(taken))
        return tuple(cycles(orders))

    def judge(self, ran: Ran) -> Judged:
        """What the schedule that was just played came to; reads the rows as they are now."""
        strange = self._strange()
        if strange and not ran.broken:
            return Judged(ran, "anomaly", f"rows of {', '.join(strange)} change, which no serial order does")
        found = state(self._admin, self._saved)
        failed = {n for n, end in enumerate(ran.ended) if end.failure is not None}
        again = {n for n in failed if (failure := ran.ended[n].failure) is not None and failure.retried}
        everyone = set(range(len(ran.ended)))
        counted = sorted(everyone - again)
        text = self._canon.outcome(found, [ran.ended[n] for n in counted])
        if ran.broken:  # what else is different says what would mend it
            there = text in self._orders(counted)
            return Judged(ran, "invariant", ran.broken, *(() if there else self._nearest(text, counted)))
        if text in self._orders(counted):
            if ran.deadlock is not None:
                return Judged(ran, "deadlock", "; ".join(ran.deadlock.sentences))
            return Judged(ran, "retry" if again else "serial", self._retries(ran, again))
        if again and self._run_again(ran, sorted(again)) in self._orders(sorted(everyone)):
            if ran.deadlock is not None:
                return Judged(ran, "deadlock", "; ".join(ran.deadlock.sentences))
            return Judged(ran, "retry", self._retries(ran, again))
        done = sorted(everyone - failed)
        if failed - again and self._canon.outcome(found, [ran.ended[n] for n in done]) in self._orders(done):
            first = next(ran.ended[n].failure for n in sorted(failed - again))
            assert first is not None
            if first.sqlstate == "23503" and _refused(text) in map(_refused, self._orders(counted)):
                return Judged(
                    ran, "serial", "as one after another, with the foreign key's refusal for a policy's"
                )
            says = f"a transaction fails as in no serial order: {first.message} [{first.sqlstate}]"
            return Judged(ran, "failure", says)
        if self._steady is None:
            self._steady = self._played_serially(counted).keys() == self._orders(counted).keys()
        if not self._steady:
            says = "the same transactions one after another do not come to the same twice: chance, or a clock in another form, is in the rows"
            return Judged(ran, "unclear", says)
        difference, surplus = self._nearest(text, counted)
        return Judged(ran, "anomaly", "no serial order comes to this", difference, surplus)

    def _run_again(self, ran: Ran, again: Sequence[int]) -> str:
        """What the schedule comes to when those that must be run again are, one after another, at its end; empty where one fails once more."""
        first = self.play(follow(ran.choices))
        part = replace(self.race, actors=tuple(self.race.actors[n] for n in again))
        second = self._stage.play(part, _one_after_another)
        if first.choices != ran.choices or any(end.failure and end.failure.retried for end in second.ended):
            return ""
        ended = {**dict(enumerate(first.ended)), **dict(zip(again, second.ended, strict=True))}
        return self._canon.outcome(state(self._admin, self._saved), [ended[n] for n in sorted(ended)])

    def _strange(self) -> list[str]:
        """Tables that were written although nobody writes them in any order; what was done to them is undone."""
        now = digests(self._admin, self._others)
        found = [table for table, digest in now.items() if digest != self._digests[table]]
        if found:
            restore(self._admin, self._untouched)
        return found

    def _retries(self, ran: Ran, again: set[int]) -> str:
        if not again:
            return "as one after another"
        names = ", ".join(self.race.actors[n].name for n in sorted(again))
        return f"{names} must be run again"

    def _broken(self) -> str:
        found = self._invariants.broken(self._admin)
        return str(found[0]) if found else ""

    def _orders(self, actors: Sequence[int]) -> Mapping[str, tuple[int, ...]]:
        """What each serial order of these comes to. Played when it is first asked for."""
        wanted = frozenset(actors)
        if wanted not in self._serial:
            self._serial[wanted] = self._played_serially(sorted(wanted))
        return self._serial[wanted]

    def _played_serially(self, actors: Sequence[int]) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for order in permutations(actors):
            part = replace(self.race, actors=tuple(self.race.actors[n] for n in order))
            ran = self.play(_one_after_another, part) if order else None
            if ran is None:
                restore(self._admin, self._saved)
            ended = {n: ran.ended[at] for at, n in enumerate(order)} if ran else {}
            text = self._canon.outcome(state(self._admin, self._saved), [ended[n] for n in actors])
            found.setdefault(text, order)
        return found

    def _nearest(self, text: str, actors: Sequence[int]) -> tuple[tuple[str, ...], dict[str, int]]:
        """The lines that are here or there only, and how many more each table has here."""
        here = Counter(text.splitlines())
        apart = []
        for other in self._orders(actors):
            there = Counter(other.splitlines())
            apart.append(((here - there, there - here), there))
        if not apart:
            return (), {}
        (mine, theirs), there = min(apart, key=lambda pair: (sum(map(len, pair[0])), sorted(pair[0][0])))
        lines = [f"here: {line}" for line in mine.elements()] + [
            f"serial: {line}" for line in theirs.elements()
        ]
        tables = Counter(line.split("|", 1)[0] for line in here.elements())
        tables.subtract(line.split("|", 1)[0] for line in there.elements())
        return tuple(sorted(lines)), {table: number for table, number in sorted(tables.items()) if number > 0}


def _refused(text: str) -> str:
    """An outcome, in which a foreign key that finds nothing to point to and a policy that asks for it refuse alike."""
    return re.sub(r"(?m)^(failed \d+)\|(?:23503|42501)\|.*$", r"\1|refused", text)


def _one_after_another(able: Sequence[int], last: int) -> int:
    return last if last in able else able[0]


def explored(
    database: Url,
    race: Race,
    *,
    limits: Limits = USUAL,
    told: Callable[[int, Judged], None] = lambda number, judged: None,
    enough: Callable[[Judged], bool] = lambda judged: False,
    functions: Sequence[Called] = (),
) -> Explored:
    """Plays and judges the schedules of a race. `database` is a scratch copy that nobody else uses; it gets gates. `enough` ends the search
    at a schedule that suffices. `functions` get stops between their reads (see `instrument`).

    Raises Stalled when the transactions cannot run alone.
    """
    judged: list[Judged] = []
    unplayed = [0]
    with track(database, race, functions) as on:
        foreseen = on.cycles()
        for ran in schedules(on.play, limits, unplayed.append):
            judged.append(on.judge(ran))
            told(len(judged), judged[-1])
            if enough(judged[-1]):
                unplayed.append(1)
                break
        return Explored(race, tuple(judged), on.written, unplayed[-1], foreseen)


def replayed(database: Url, race: Race, name: str, functions: Sequence[Called] = ()) -> Judged:
    """The schedule of that name once more."""
    with track(database, race, functions) as on:
        return on.judge(on.play(follow([int(digit) - 1 for digit in name])))


@contextmanager
def track(database: Url, race: Race, functions: Sequence[Called] = ()) -> Iterator[Track]:
    """Prepared once the tables are known that the transactions write, in any order."""
    if race.given:
        with connect(database) as admin, admin.transaction():
            prepared(admin, race.given)
    made = Track(database, race, reach(database, race), functions)
    try:
        yield made
    finally:
        made.close()
