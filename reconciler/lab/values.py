"""The words of the lab: who acts, in which order, and what came of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.model import ObjectId

Isolation = Literal["read committed", "repeatable read", "serializable"]
LEVELS: tuple[Isolation, ...] = ("read committed", "repeatable read", "serializable")
At = Literal["gate", "idle", "blocked", "done"]
"""Where a session stands after a step: before a statement of a trigger or function that writes, between two statements of its
own, behind a lock, at its end."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One transaction: `first` sets it up (role, claims), then its statements one by one, then COMMIT, or ROLLBACK when `aborts`.

    `first` must take no snapshot (SET does not, SELECT does): above READ COMMITTED no transaction could come after another otherwise.
    """

    name: str
    statements: tuple[str, ...]
    first: tuple[str, ...] = ()
    aborts: bool = False
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Race:
    """Two or three transactions at once, on the rows that stand when it begins, after `given` (SQL of a superuser, triggers off).
    `invariants` are queries that must return no row. `subject` is the table or trigger it was made for."""

    name: str
    actors: tuple[Actor, ...]
    isolation: Isolation = "read committed"
    invariants: Mapping[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    subject: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a schedule: who went, from where, and where they stood afterwards. `gate` is the table and event of that place."""

    actor: int
    began: str
    then: At
    gate: str = ""

    def __str__(self) -> str:
        place = f" before {self.gate}" if self.gate else ""
        return f"{self.actor + 1}: {self.began} → {self.then}{place}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a transaction ended: PostgreSQL's SQLSTATE and message, and where."""

    sqlstate: str
    message: str
    detail: str = ""
    context: str = ""

    @property
    def retried(self) -> bool:
        """Whether its caller has to run it again (manual: Serialization Failure Handling)."""
        return self.sqlstate in ("40001", "40P01")


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows that a statement gave, as text. `origins` says for each column which table (its OID) and column it shows, (0, 0) where
    it is computed (libpq: PQftable). `count` is how many rows it wrote or gave, where it says so (libpq: PQcmdTuples)."""

    rows: tuple[tuple[str | None, ...], ...] = ()
    origins: tuple[tuple[int, int], ...] = ()
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How one transaction ended: what each statement gave, and the failure, if it failed."""

    answers: tuple[Answer, ...] = ()
    failure: Failure | None = None
    committed: bool = False


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Who waited for what while holding what, at the moment when nobody could go on."""

    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """One schedule as it went. `choices` is its name: whose turn it was, from 1. `open` are the choices there were at each turn. `broken`
    names an invariant that did not hold after some commit."""

    choices: tuple[int, ...]
    steps: tuple[Step, ...]
    ended: tuple[Ended, ...]
    open: tuple[tuple[int, ...], ...] = ()
    deadlock: Deadlock | None = None
    broken: str = ""

    @property
    def name(self) -> str:
        return "".join(str(actor + 1) for actor in self.choices)


@dataclass(frozen=True, slots=True)
class Draft:
    """A race before it is known who can run it: the statements of each transaction, and what is taken away first. `optional`: it is no
    news when nobody can. `elsewhere`: all but the first transaction change rows of other tables."""

    name: str
    scripts: tuple[tuple[str, ...], ...]
    given: tuple[str, ...] = ()
    fires: frozenset[str] = frozenset()
    optional: bool = False
    elsewhere: bool = False
