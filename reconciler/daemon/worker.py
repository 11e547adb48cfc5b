"""The thread that keeps one database as declared: waits until it is asked, looks, tells, acts if the mode says so, and tells again.

One thread for each database: two never work on the same one, and one that hangs keeps nobody waiting. Families of errors decide
when it is tried again by itself: what passes by itself soon and then ever later, what a person must change when something has
changed. Everything else is a fault of this program: logged with its place, counted, survived.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import psycopg
import structlog

from reconciler.daemon.audits import Audits
from reconciler.daemon.log import mask
from reconciler.daemon.record import Record, moment
from reconciler.daemon.standing import Standing
from reconciler.daemon.wakeup import Trigger, Wakeup
from reconciler.engine import invariants, telling
from reconciler.engine.checkout import used
from reconciler.engine.cycle import Pass, acted, observed, stalled
from reconciler.engine.document import plan_document
from reconciler.engine.fetching import Fetched
from reconciler.engine.phases import in_phases
from reconciler.engine.planning import propose
from reconciler.engine.refusals import FIGHT
from reconciler.engine.unmoved import inputs
from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.migrate import Progress
from reconciler.model import Condition, Json, Status
from reconciler.run.stop import Stop
from reconciler.settings import Database

_QUIET = 0.2
"""Seconds without another event of a file before the files are read."""
_REHEARSALS = threading.BoundedSemaphore(2)
"""How many databases have something materialised or rehearsed at once: each may take a server of its own."""
_RAN = {"up": "applied", "down": "rolled back"}
_BEGINS, _ENDS = "start the shadow", "ask the live database"
"""The stages between which that is. What runs on the live database keeps nobody else from it."""


class Worker:
    """`publish` takes each new status, `source` gives what declares the database now. `database` is as it was configured, `declared`
    with the files that the newest pass goes by. `looks_since` is when the look under way began (time.monotonic), None when it is known how the
    database stands; `stage` is what is done now.
    """

    def __init__(
        self, database: Database, publish: Callable[[Worker, Status], None], source: Callable[[], Fetched],
        record: Record | None = None,
    ) -> None:  # fmt: skip
        self.database = self.declared = database
        self.wakeup = Wakeup()
        self.record = record or Record(database.name, database.mode)
        self.looks_since: float | None = None
        self.stage = ""
        self._sink, self._source = publish, source
        self._stop = Stop(database.grace.seconds)
        self._tries = 0
        self._again: float | None = None
        self._looked_at = time.monotonic()
        self._rehearses = False
        self._lands = False
        self._stalled: tuple[ReconcilerError, str, float] | None = None
        self._unread: tuple[Pass, str] | None = None
        self._said = ""
        self._done_of = self._differed = ""
        self._plan: dict[str, Json] | None = None
        self._invariants: dict[str, Json] | None = None
        self._ask_from = 0.0
        self._log = structlog.get_logger(__name__).bind(database=database.name)
        self._audits = Audits(self._stop, self._log)
        self.standing = Standing(
            database, self.record.events, heard=lambda: self.wakeup.ask("listener"), settled=lambda: self.wakeup.ask("start")
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, name=f"worker {database.name}", daemon=True)

    def start(self) -> None:
        self._publish(self.record.status)
        self.wakeup.ask("start")
        self.standing.start()
        self._thread.start()

    def end(self, why: str) -> None:
        """Asks to end: the statement under way may finish within the grace time. Whoever leads leads until then."""
        self._stop.ask(why)
        self.wakeup.close()

    def join(self, deadline: float) -> bool:
        """Whether it ended by then (time.monotonic)."""
        self._thread.join(max(deadline - time.monotonic(), 0))
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Until it begins, too."""
        return self._thread.ident is None or self._thread.is_alive()

    def _publish(self, status: Status) -> None:
        self._sink(self, status)

    def _run(self) -> None:
        try:
            while True:
                clock = self._looked_at + self.database.check_interval.seconds + 1
                due = min(self._again or clock, clock)
                triggers = self.wakeup.wait(self._audits.before(due), quiet=_QUIET)
                if self.wakeup.closed:
                    return
                if self._audits.due(triggers):
                    self._audit()
                    if not triggers and time.monotonic() < due:
                        continue
                trigger: Trigger = (
                    triggers[0] if triggers else "again" if self._again is not None else "timer"
                )
                self._turn(trigger, triggers)
        finally:
            self.standing.close()
            self._stop.close()

    def _turn(self, trigger: Trigger, triggers: tuple[Trigger, ...]) -> None:
        log = self._log.bind(cycle=uuid.uuid4().hex[:8], trigger=trigger)
        self._again = None
        self._looked_at = self.looks_since = began = time.monotonic()
        try:
            with suppress(ReconcilerError):
                mask(secret for _, secret in self.database.target().secrets)
            fetched = self._source()
            with used(fetched.database):
                self.declared = fetched.database
                found = self._pass(triggers, fetched)
            self._told(log, found, trigger, time.monotonic() - began)
            if found.seen is not None:
                self._audits.noted(found.seen.after.fingerprint, moment()[:10])
        except Exception as error:  # noqa: BLE001 - a fault of ours in one pass must not end the watch over a database
            self._faltered(log, error, trigger)
        finally:
            self._give_way()
            self.looks_since, self.stage = None, ""

    def _pass(self, triggers: tuple[Trigger, ...], fetched: Fetched) -> Pass:
        asked = bool(set(triggers) & {"http", "signal"})
        began = time.monotonic()
        found = self._look(asked, fetched.hindrance)
        self.record.took("observe", time.monotonic() - began)
        lost = self.standing.error
        if found.error is None and lost is not None:
            found = stalled(found, lost)
        if found.seen is None or not found.seen.changes:
            self._stalled = self._stalled if found.seen is None else None
            self._tell(found)
            self._judge(found, "")
            return found
        of = self._inputs()
        held = None
        if self._stalled and not asked and of and of == self._stalled[1]:
            held = self._stalled[0] if time.monotonic() < self._stalled[2] else None
        # Until the next try has ended, what the last one ended with is what is known.
        self._tell(stalled(found, self._stalled[0]) if self._stalled else found)
        self.looks_since = None
        if held is not None:
            return stalled(found, held)
        if self.declared.mode == "observe":
            self._sketch(found, of)
        if not self.standing.leads or (
            self.declared.mode == "propose" and of and of == self._done_of and not asked
        ):
            return found
        return self._act(found, of, asked)

    def _audit(self) -> None:
        began = time.monotonic()
        try:
            found = self._audits.made(self.declared, self._act_stages)
        finally:
            self._give_way()
            self.looks_since, self.stage = None, ""
        if found is not None:
            self.record.took("audit", time.monotonic() - began)
            self._publish(self.record.audited(found))

    def _look(self, asked: bool, hindrance: ReconcilerError | None) -> Pass:
        """How the database stands; declarations that could not be read or loaded are not tried again until something changed."""
        of = self._inputs() if self._unread else ""
        if self._unread and of and of == self._unread[1] and not asked:
            return replace(self._unread[0], status=replace(self._unread[0].status, observed_at=moment()))
        found = observed(self.declared, told=self._stages, trouble=hindrance)
        failed = found.seen is None and not isinstance(found.error, Waiting)
        self._unread = (found, of) if failed else None
        return found

    def _act(self, found: Pass, of: str, asked: bool) -> Pass:
        began, self._lands = time.monotonic(), False
        self._differed = _sentence(self.record.status) + self.record.makers()
        try:
            after = acted(
                self.declared, found, told=self._act_stages, stop=self._stop, warrant=self.standing.warrant(),
                on_note=self._log.info, on_statement=self._ran, asked=asked,
            )  # fmt: skip
        except Waiting as error:
            after = stalled(found, error)
        self.record.took("apply" if self.declared.mode == "apply" else "propose", time.monotonic() - began)
        if after.result != "suspended":
            made = after.proposal
            self.record.acted(after, landed=self._lands)
            self._plan = plan_document(made.plan, made.rehearsal) if made else None
        self._done_of = of if after.result == "proposed" else ""
        if after.error is not None and self._lands:
            # Some of it may be in the database.
            again = observed(self.declared, told=self._act_stages)
            after = stalled(again, after.error) if again.seen is not None else after
        self._judge(after, of)
        self._tell(after)
        return after

    def _sketch(self, found: Pass, of: str) -> None:
        """What would be done, for whoever looks at the page; made anew only when something else differs."""
        if of and of == self._done_of:
            return
        self._plan = None
        try:
            made = propose(
                self.declared, trust=self.declared.trust or "untrusted", told=self._act_stages, every_row=False,
                phases=in_phases(self.declared),
            )  # fmt: skip
        except (ReconcilerError, psycopg.Error) as error:
            self._stop.check()
            self._done_of = of if isinstance(error, Stalled) else ""
            self._log.info("no plan is possible now", why=str(error))
            return
        self._done_of = of
        self._plan = plan_document(made.plan, made.rehearsal)
        self._tell(found)

    def _inputs(self) -> str:
        """A name for what a plan is made of, as of now; empty where that cannot be told."""
        with suppress(ReconcilerError, psycopg.Error):
            return inputs(self.declared)
        return ""

    def _judge(self, found: Pass, of: str) -> None:
        """When it is tried again by itself, after what this pass came to. `of` is what the act was made of at most."""
        error = found.error
        if isinstance(error, Waiting):
            self._tries += 1
            pause = min(2.0 ** min(self._tries, 10) / 2, max(self.declared.check_interval.seconds, 1.0))
            self._again = time.monotonic() + pause * random.uniform(0.7, 1.3)  # noqa: S311 - replicas must not come all at once
            return
        self._tries = 0
        if found.seen is not None:
            until = time.monotonic() + FIGHT.total_seconds()
            self._stalled = (
                (error, of, until) if error is not None and error is not self.standing.error else None
            )

    def _tell(self, found: Pass) -> None:
        told: dict[str, Json] = {}
        with suppress(ReconcilerError, psycopg.Error):
            told = telling.facts(self.declared, found.seen)
        self._ask_invariants(found)
        told["invariants"] = self._invariants
        told["audit"] = self._audits.found
        told["plan"] = self._plan if found.status.drift or found.seen is None else None
        self._publish(self.record.looked(found, told))

    def _ask_invariants(self, found: Pass) -> None:
        """Now and then, of a database that could be looked at. What could not be asked at all stays as last known."""
        interval = self.declared.invariant_interval.seconds
        if not interval:
            self._invariants = None
        elif found.seen is not None and time.monotonic() >= self._ask_from:
            self._ask_from = time.monotonic() + interval
            with suppress(ReconcilerError, psycopg.Error):
                self._invariants = invariants.asked(self.declared)

    def _told(self, log: structlog.BoundLogger, found: Pass, trigger: Trigger, seconds: float) -> None:
        """One sentence a pass."""
        self.record.counted(trigger, found.result)
        self.record.took("whole", seconds)
        self._publish(self.record.counts())
        status, says = self.record.status, found.error.brief if found.error is not None else ""
        # What a person must do is said loudly once.
        news, self._said = bool(says) and says != self._said, says
        level = log.info if not news else log.warning if isinstance(found.error, Waiting) else log.error
        known = found.seen is not None
        level(
            says or self._sentence(found), result=found.result, seconds=round(seconds, 3),
            drift=len(status.drift) if known else None, extra=len(status.extra) if known else None,
            leader=self.standing.leads,
        )  # fmt: skip

    def _sentence(self, found: Pass) -> str:
        """How the database stands, and where something was done, or is left undone, what and why."""
        says = _sentence(self.record.status)
        if found.applied:
            done = ", ".join(f"{row.version} ({row.slug}) {_RAN[row.direction]}" for row in found.applied)
            return f"{self._differed}; {done}; {says}" if self._differed else f"{done}; {says}"
        if found.result == "suspended":
            return f"{says}; nothing is done, as it is suspended"
        return (
            f"{says}; this process does not lead"
            if found.status.drift and self.standing.leads is False
            else says
        )

    def _faltered(self, log: structlog.BoundLogger, error: Exception, trigger: Trigger) -> None:
        """A pass that did not come to an end that any pass should."""
        if self._stop.asked:
            log.info("the pass was given up", why=self._stop.why)
            return
        passes = isinstance(error, (Waiting, psycopg.OperationalError))
        result = "waiting" if passes else "failed"
        says = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if self.stage:  # which of two servers it was nobody could say otherwise
            says = f"{says} (stage: {self.stage})"
        self._tries += 1
        self._again = time.monotonic() + min(2.0 ** min(self._tries, 10), 300.0)
        self.record.counted(trigger, result)
        if passes:
            condition = Condition("Waiting", "True", "TriedAgain", says, moment())
        else:
            condition = Condition("Faulty", "True", type(error).__name__, says, moment())
        self._publish(self.record.failed(condition))
        if passes:
            log.warning(says, result=result)
        else:
            log.error(
                f"a fault of this program: {type(error).__name__}: {says}", result=result, exc_info=error
            )

    def _stages(self, stage: str) -> None:
        """Told of each stage; ends the pass between two of them when the process is to end, and has others wait their turn."""
        self.stage = stage
        self._stop.check()
        if stage == _BEGINS and not self._rehearses:
            while not _REHEARSALS.acquire(timeout=0.5):
                self._stop.check()
            self._rehearses = True
        elif stage == _ENDS:
            self._give_way()

    def _act_stages(self, stage: str) -> None:
        """As `_stages`; what is read again during an act is another look."""
        self.looks_since = time.monotonic() if stage == "read the database" else None
        self._stages(stage)

    def _give_way(self) -> None:
        if self._rehearses:
            self._rehearses = False
            _REHEARSALS.release()

    def _ran(self, progress: Progress) -> None:
        self._lands = True
        self.record.waited(progress.waited)


def _sentence(status: Status) -> str:
    sync = next((c for c in status.conditions if c.type == "InSync"), None)
    return sync.sentence if sync else "not looked at yet"
