"""The faults: what is done to a run, and when. Each is drawn from a seed, so that it can be done again."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from disturbed import Site
from runs import Ended, Run
from state import Direction, Known, Route
from wire import Gate, Limit, Line, Side, Verdict

from reconciler.pg import connect

Moment = Literal["boundary", "during", "any"]

KINDS = {
    "kill -9 of the process": 20,
    "SIGTERM": 8,
    "pg_terminate_backend": 14,
    "SIGKILL of the backend": 10,
    "immediate restart": 8,
    "connection cut": 16,
    "cut after some bytes": 8,
    "answer to COMMIT lost": 10,
    "half-open, process killed": 4,
    "half-open, noticed late": 3,
    "second applier": 5,
}
"""How often each is drawn, in parts of their sum."""
HELD = 0.4
"""How often a fault meets a concurrent build that waits for an old transaction, where there is one: else they are over too soon."""
OLD = """
do $$
declare
  one text;
begin
  for one in select c.oid::regclass from pg_catalog.pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
  loop
    execute 'lock table ' || one || ' in access share mode';
  end loop;
end $$
"""
BY_THE_ROOM = ("second applier",)
"""Only where the run is that of `migrate` alone."""


@dataclass(frozen=True)
class Fault:
    """`at` and `side` name a boundary: before a request, or after its answer. `delay` is in seconds, from the run's beginning
    (moment "any") or from the boundary ("during"); `cut` is a number of bytes and the way they go; `sql` is the request meant, where
    its number is not certain; `held` is for how many seconds more an old transaction keeps it waiting.
    """

    kind: str
    moment: Moment
    at: int = 0
    side: Side = "before"
    delay: float = 0.0
    way: Literal["up", "down"] = "up"
    cut: int = 0
    sql: str = ""
    held: float = 0.0


def drawn(chance: random.Random, known: Known, route: Route, boundary: int | None) -> Fault:
    """A fault for a run of which an undisturbed one is known. `boundary` is the one to take where it is a boundary's turn."""
    kinds = {kind: share for kind, share in KINDS.items() if route == "apply" or kind not in BY_THE_ROOM}
    kind = chance.choices(list(kinds), list(kinds.values()))[0]
    if kind == "cut after some bytes":
        way: Literal["up", "down"] = chance.choice(("up", "down"))
        return Fault(kind, "any", way=way, cut=chance.randrange(1, known.bytes[way]))
    at = boundary if boundary is not None else chance.randrange(len(known.trace))
    sql = ""
    if route == "command":  # how much it reads before and after varies
        at = chance.choice(_changing(known))
        sql = known.trace[at].sql
    side: Side = chance.choice(("before", "after"))
    if kind == "answer to COMMIT lost":
        return Fault(kind, "boundary", at=chance.choice(_commits(known)), side="after", sql=sql and "commit")
    patient = [n for n, one in enumerate(known.trace) if " concurrently " in one.sql.lower()]
    if patient and kind != "second applier" and chance.random() < HELD:
        at = chance.choice(patient)
        delay, held = 0.02 + chance.random() * 0.1, chance.choice((0.05, 1.5))
        return Fault(kind, "during", at=at, delay=delay, sql=sql and known.trace[at].sql, held=held)
    moment: Moment = (
        "boundary"
        if kind == "second applier"
        else chance.choices(("boundary", "during", "any"), (6, 2, 2))[0]
    )
    if moment == "during":
        return Fault(kind, moment, at=at, delay=chance.random() * known.trace[at].seconds * 1.1, sql=sql)
    if moment == "any":
        return Fault(kind, moment, delay=chance.random() * known.seconds * 1.3)
    return Fault(kind, moment, at=at, side=side, sql=sql)


def _commits(known: Known) -> list[int]:
    return [n for n, sent in enumerate(known.trace) if sent.sql.strip().lower().rstrip(";") == "commit"]


def _changing(known: Known) -> list[int]:
    """The requests that do not only read."""
    return [
        n
        for n, sent in enumerate(known.trace)
        if not sent.sql.lstrip().lower().startswith(("select", "with"))
    ]


class Striker:
    """Runs a site's migration once, with a fault or without."""

    def __init__(self, site: Site, rival: Callable[[Direction], Run]) -> None:
        self._site, self._rival = site, rival
        self._timers: list[threading.Timer] = []

    def close(self) -> None:
        for timer in self._timers:
            timer.join()

    def run(self, direction: Direction, fault: Fault | None) -> tuple[list[Ended], bool]:
        """How the run (and its rival) ended, and whether the fault met it."""
        site = self._site
        gate = Gate(fault.at, fault.side, fault.sql) if fault and fault.moment != "any" else None
        limit = Limit(fault.way, fault.cut) if fault and fault.cut else None
        site.wire.begin(gate=gate, limit=limit, name=site.applicant)
        run = site.start(direction)
        if fault is None:
            return [run.ended()], False
        if limit is not None:
            return [run.ended()], limit.left <= 0
        if gate is None:
            while site.route == "command" and site.wire.main is None and run.going():
                time.sleep(0.005)  # nothing is changed before that
            time.sleep(fault.delay)
            met = run.going()
            rivals = self._off_gate(fault, run, direction) if met else []
            return [run.ended(), *(rival.ended() for rival in rivals)], met
        while not gate.reached.wait(0.002):
            if not run.going():
                return [run.ended()], False
        if fault.moment == "during":
            if fault.held:
                self._in_the_way(fault.delay + fault.held)
            gate.verdict.put("go")
            time.sleep(fault.delay)
            rivals = self._off_gate(fault, run, direction)
        else:
            verdict, rivals = self._strike(fault, run, direction)
            gate.verdict.put(verdict)
        return [run.ended(), *(rival.ended() for rival in rivals)], True

    def _in_the_way(self, seconds: float) -> None:
        """A transaction that began before, and has read every table."""
        session = connect(self._site.url, autocommit=False, application_name="bystander")
        session.execute("set transaction isolation level repeatable read")
        session.execute(OLD.encode())
        timer = threading.Timer(seconds, session.close)
        timer.start()
        self._timers.append(timer)

    def _off_gate(self, fault: Fault, run: Run, direction: Direction) -> list[Run]:
        verdict, rivals = self._strike(fault, run, direction)
        if verdict == "cut":
            self._site.wire.cut()
        elif verdict == "freeze":
            self._site.wire.freeze()
        return rivals

    def _strike(self, fault: Fault, run: Run, direction: Direction) -> tuple[Verdict, list[Run]]:
        """What is to become of the connection, and who else applies now."""
        site, line = self._site, self._site.wire.main
        pid = line.pid if line else 0
        match fault.kind:
            case "kill -9 of the process":
                run.kill(signal.SIGKILL)
                return "cut", []
            case "SIGTERM":
                run.kill(signal.SIGTERM)
            case "pg_terminate_backend":
                site.cluster.terminate(pid)
            case "SIGKILL of the backend":
                site.cluster.crash(pid)
            case "immediate restart":
                site.cluster.restart()
            case "connection cut" | "answer to COMMIT lost":
                return "cut", []
            case "half-open, process killed":
                self._later(line, 0.5)
                run.kill(signal.SIGKILL)
                return "freeze", []
            case "half-open, noticed late":
                self._later(line, 0.3)
                return "freeze", []
            case "second applier":
                rival = self._rival(direction)
                time.sleep(0.1)
                return "go", [rival]
        return "go", []

    def _later(self, line: Line | None, seconds: float) -> None:
        """Both ends of a frozen line learn that it is dead: what keep-alives find out."""
        if line is not None:
            timer = threading.Timer(seconds, line.drop)
            timer.start()
            self._timers.append(timer)
