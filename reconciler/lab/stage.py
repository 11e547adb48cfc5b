"""The controller: plays one schedule, a turn at a time, and knows at each turn who can go on.

A turn sends a session's next statement, or opens the gate at which it stands, and waits until it stands again: at another gate, behind a
lock, or with its answer. Who was let go by that turn (the other one committed) runs to its next place within the same turn. The same
choices on the same rows give the same steps; with three sessions, two that are let go at once may come in either order, and a
schedule where that happens says so by not replaying.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled, Waiting
from reconciler.lab import gates
from reconciler.lab.deadlocks import explained
from reconciler.lab.session import Session
from reconciler.lab.values import Answer, At, Deadlock, Ended, Failure, Race, Ran, Step
from reconciler.pg import Url, connect

Connection = psycopg.Connection[TupleRow]
Choose = Callable[[Sequence[int], int], int]
"""Given who can go on, and who went last (-1: nobody yet), whose turn it is."""

_POLL = 0.0004
_PATIENCE = 20.0
"""Seconds that a statement may take, and that PostgreSQL may take to end a deadlock."""
_DEADLOCK = 0.04
"""Seconds: long enough to look at a deadlock before it is ended, short enough to play hundreds of them."""
_MARGIN = 0.015
"""Seconds that a session may take to look for a deadlock once it is time."""
_WAITING = """
select l.pid, l.locktype, l.classid::bigint, l.objid::bigint
  from pg_catalog.pg_locks as l where not l.granted and l.pid = any(%s) order by 1
"""


@dataclass(slots=True)
class _Player:
    """Where one transaction stands. `next` is the number of the statement to send, `key` the lock of the gate it stands at."""

    session: Session
    number: int
    script: tuple[str, ...]
    next: int = 0
    at: At = "idle"
    key: int = 0
    answers: list[Answer] = field(default_factory=list)
    failure: Failure | None = None
    committed: bool = False
    since: float = 0.0


class Stage:
    """A scratch database with gates, and the sessions of a race.

    `patient`: nobody goes on before each session that waits has looked for a deadlock (it does so once, `deadlock_timeout` after it began to
    wait). Then whoever closes the circle is who is ended, every time; else the machine's load decides.
    """

    patient = False

    def __init__(self, database: Url, meanings: Mapping[int, str], sessions: int) -> None:
        self._meanings = meanings
        self._control = connect(database, application_name="reconciler lab controller")
        self._sessions = [Session(database, str(number + 1)) for number in range(sessions)]
        for number, session in enumerate(self._sessions):
            session.run(f"set {gates.SCHEMA}.session = '{number}'")
            session.run(f"set deadlock_timeout = '{_DEADLOCK * 1000:g}ms'")
        gates.sessions(self._control, sessions)
        keys = [key for n in range(sessions) for gate in meanings for key in gates.keys(n, gate)]
        self._control.execute(
            "select pg_catalog.pg_advisory_lock(%s, k) from pg_catalog.unnest(%s::int[]) as k",
            (gates.CLASS, keys),
        )

    def close(self) -> None:
        for session in self._sessions:
            session.close()
        self._control.close()

    def play(
        self,
        race: Race,
        choose: Choose,
        ask: Callable[[], str] = lambda: "",
        seen: Callable[[int], None] = lambda pid: None,
    ) -> Ran:
        """One schedule to its end. `ask` is called after each commit and names an invariant that does not hold then; `seen` after each
        turn, with the backend whose turn it was.

        Raises Waiting when a session does not stand still in time.
        """
        players = [
            _Player(session, number, (*actor.statements, "rollback" if actor.aborts else "commit"))
            for number, (session, actor) in enumerate(zip(self._sessions, race.actors, strict=False))
        ]
        for player, actor in zip(players, race.actors, strict=True):
            # No snapshot is taken before the first statement (manual: Transaction Isolation), so beginning is no turn of its own.
            failure = player.session.run("; ".join((f"begin isolation level {race.isolation}", *actor.first)))
            if failure is not None:
                raise Stalled(f"{race.name}: {actor.name} cannot begin: {failure.message}")
        choices: list[int] = []
        opened: list[tuple[int, ...]] = []
        steps: list[Step] = []
        deadlock: Deadlock | None = None
        broken, commits = "", 0
        last = -1
        while any(player.at != "done" for player in players):
            able = tuple(p.number for p in players if p.at in ("idle", "gate"))
            if not able:
                deadlock = deadlock or self._deadlock(players, steps)
                self._wait_for_the_end(players)
                continue
            self._let_them_look(players)
            last = choose(able, last)
            choices.append(last)
            opened.append(able)
            player = players[last]
            began = self._meaning(player) if player.at == "gate" else _said(player.script[player.next])
            self._go(player)
            self._settle(players)
            waited = player.failure is not None and player.failure.sqlstate == "40P01"
            if waited and deadlock is None:  # it was over before anybody could look at it
                deadlock = Deadlock(tuple(str(player.failure and player.failure.detail).splitlines()))
            then: At = "blocked" if waited else player.at
            steps.append(Step(last, began, then, self._meaning(player) if player.at == "gate" else ""))
            seen(player.session.pid)
            done = sum(1 for p in players if p.committed)
            if done > commits:
                commits, broken = done, broken or ask()
        ended = tuple(Ended(tuple(p.answers), p.failure, p.committed) for p in players)
        return Ran(tuple(choices), tuple(steps), ended, tuple(opened), deadlock, broken)

    def _let_them_look(self, players: Sequence[_Player]) -> None:
        """See `patient`."""
        waiting = [p.since for p in players if p.at == "blocked" and p.since]
        if self.patient and waiting:
            time.sleep(max(0.0, max(waiting) + _DEADLOCK + _MARGIN - time.monotonic()))

    def _meaning(self, player: _Player) -> str:
        return self._meanings[gates.gate_of(player.key)]

    def _go(self, player: _Player) -> None:
        if player.at == "idle":
            player.session.send(player.script[player.next])
            player.next += 1
        else:
            # The session takes the lock, gives it back, and we have it again: it is beyond the gate then.
            self._control.execute("select pg_catalog.pg_advisory_unlock(%s, %s)", (gates.CLASS, player.key))
            self._control.execute("select pg_catalog.pg_advisory_lock(%s, %s)", (gates.CLASS, player.key))
            player.key = 0
        player.at, player.since = "blocked", 0.0  # until it is seen to stand elsewhere

    def _settle(self, players: Sequence[_Player]) -> None:
        """Waits until each session that is under way stands at a gate, behind a lock, or has its answer."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            moving = [p for p in players if p.at == "blocked"]
            for player in moving:
                if player.session.poll():
                    self._answered(player)
            waiting = [p for p in moving if p.at == "blocked"]
            if not waiting:
                return
            found = self._waits([p.session.pid for p in waiting])
            running = []
            for player in waiting:
                wait = found.get(player.session.pid)
                if wait is None:
                    running.append(player)
                elif wait[0] == "advisory" and wait[1] == gates.CLASS:
                    player.at, player.key = "gate", wait[2]
            if not running:
                # Who let another one go may not have been seen to: look once more before all of them count as standing.
                if not any(player.session.poll() for player in waiting if player.at == "blocked"):
                    for player in waiting:
                        player.since = player.since or time.monotonic()
                    return
                continue
            if time.monotonic() > deadline:
                raise Waiting(f"a statement of the race did not stand still within {_PATIENCE:g} s")
            running[0].session.poll(_POLL)

    def _waits(self, pids: Sequence[int]) -> dict[int, tuple[str, int, int]]:
        rows = self._control.execute(_WAITING, (list(pids),)).fetchall()
        return {pid: (kind, int(first or 0), int(second or 0)) for pid, kind, first, second in rows}

    def _answered(self, player: _Player) -> None:
        """What a statement came to; after a failure the transaction is rolled back, and that is its end."""
        session = player.session
        if session.failure is not None:
            player.failure = player.failure or session.failure
            session.run("rollback")
            player.at = "done"
            return
        if player.next < len(player.script):
            player.answers.append(session.answer)
        if player.next == len(player.script):
            player.committed = player.script[-1] == "commit"
            player.at = "done"
            return
        player.at = "idle"

    def _deadlock(self, players: Sequence[_Player], steps: Sequence[Step]) -> Deadlock:
        pids = {p.session.pid: p.number for p in players if p.at == "blocked"}
        return explained(self._control, pids, steps)

    def _wait_for_the_end(self, players: Sequence[_Player]) -> None:
        """PostgreSQL ends one of them; the others go on from there."""
        deadline = time.monotonic() + _PATIENCE
        blocked = [p for p in players if p.at == "blocked"]
        while not any(p.session.poll(0.005) for p in blocked):
            if time.monotonic() > deadline:
                raise Waiting(
                    f"sessions of the race wait for each other and nobody ends it within {_PATIENCE:g} s"
                )
        self._settle(players)


def _said(sql: str) -> str:
    words = " ".join(sql.split())
    return words if len(words) <= 60 else f"{words[:57]}…"
