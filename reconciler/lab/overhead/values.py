"""The words of the bench. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model import ObjectId

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Event = Literal["INSERT", "UPDATE", "DELETE"]
Size = Literal["single row", "bulk"]
Clock = Literal["cpu", "wall"]
"""What is counted: the processor time of the session's backend, or time as it passes where that cannot be seen."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much slower a statement may become, as a share: 0.1 is ten per cent."""

    single: float = 0.10
    bulk: float = 0.50

    def of(self, size: Size) -> float:
        return self.single if size == "single row" else self.bulk


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share by which something is slower: the median of paired rounds and its interval, 99 %, by the percentile bootstrap (Efron,
    1979). `noise` is how far the same statement differs from itself: the far end of the interval of the A/A pairs."""

    share: float
    low: float
    high: float
    noise: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How long statements took, as time passes for who sends them: microseconds at the 0th to the 100th percentile, without the
    trigger and with it."""

    off: tuple[float, ...]
    on: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Timed:
    """One size of statement, without the trigger and with it. `off` and `on` are microseconds per row, `wal` bytes per row that the trigger
    adds."""

    size: Size
    rows: int
    clock: Clock
    off: float
    on: float
    estimate: Estimate
    verdict: Verdict
    budget: float
    wal: float = 0.0
    spread: Spread | None = None

    @property
    def added(self) -> float:
        """Microseconds per row that the trigger adds."""
        return self.on - self.off


@dataclass(frozen=True, slots=True)
class Scale:
    """Statements of more and more rows: how many, and the microseconds per row that the trigger adds."""

    points: tuple[tuple[int, float], ...]
    superlinear: bool


@dataclass(frozen=True, slots=True)
class Contention:
    """Several sessions at once, each with its own rows: statements a second without and with the trigger, and how many of the looks at
    pg_locks saw a session wait for another."""

    sessions: int
    off: float
    on: float
    waits: int
    looks: int


@dataclass(frozen=True, slots=True)
class Advice:
    """What would be cheaper, as measured: `saves` is the share of the trigger's bulk cost that goes; `sql` makes it so."""

    says: str
    saves: float
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """All about one trigger and one of its events. `reason` says why nothing could be measured. `reads` are tables that it reads whole for
    each row, `plans` what EXPLAIN says (name, text)."""

    trigger: ObjectId
    event: Event
    timed: tuple[Timed, ...] = ()
    scale: Scale | None = None
    contention: Contention | None = None
    functions: tuple[tuple[str, int, float], ...] = ()
    reads: tuple[str, ...] = ()
    plans: tuple[tuple[str, str], ...] = ()
    advice: tuple[Advice, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of its sizes; INCONCLUSIVE when nothing could be measured."""
        found = {timed.verdict for timed in self.timed}
        if "FAIL" in found:
            return "FAIL"
        return "PASS" if found == {"PASS"} else "INCONCLUSIVE"
