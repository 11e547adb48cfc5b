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

import psycopg
import structlog

from reconciler.daemon.record import Record, moment
from reconciler.daemon.standing import Standing
from reconciler.daemon.wakeup import Trigger, Wakeup
from reconciler.engine import telling
from reconciler.engine.cycle import Pass, acted, observed, stalled
from reconciler.engine.document import plan_document
from reconciler.engine.phases import in_phases
from reconciler.engine.planning import propose
from reconciler.engine.unmoved import inputs
from reconciler.errors import ReconcilerError, Waiting
from reconciler.model import Condition, Json, Status
from reconciler.run.stop import Stop
from reconciler.settings import Database

_QUIET = 0.2
"""Seconds without another event of a file before the files are read."""
_HEAVY = threading.Semaphore(2)
"""How many databases are planned and rehearsed at once: each takes a server of its own."""


class Worker:
    """`publish` takes each new status. `began` is when the pass under way began (time.monotonic), None between passes;
    `looks` says that it has not found out yet how the database stands, `stage` what is done now.
    """

    def __init__(self, database: Database, publish: Callable[[Status], None]) -> None:
        self.database = database
        self.wakeup = Wakeup()
        self.record = Record(database.name, database.mode)
        self.began: float | None = None
        self.looks = False
        self.stage = ""
        self._publish = publish
        self._stop = Stop(database.grace.seconds)
        self._tries = 0
        self._again: float | None = None
        self._stalled: tuple[ReconcilerError, str] | None = None
        self._planned = ""
        self._plan: dict[str, Json] | None = None
        self._said: ReconcilerError | None = None
        self._log = structlog.get_logger(__name__).bind(database=database.name)
        self.standing = Standing(
            database,
            self.record.events,
            heard=lambda: self.wakeup.ask("listener"),
            settled=lambda: self.wakeup.ask("start"),
        )
        self._thread = threading.Thread(target=self._run, name=f"worker {database.name}", daemon=True)

    def start(self) -> None:
        self._publish(self.record.status)
        self.wakeup.ask("start")
        self.standing.start()
        self._thread.start()

    def end(self, why: str) -> None:
        """Asks to end: the statement under way may finish within the grace time."""
        self._stop.ask(why)
        self.wakeup.close()

    def join(self, timeout: float) -> bool:
        """Whether it ended in time."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        self.standing.close()
        self._stop.close()
        return True

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while True:
            triggers = self.wakeup.wait(self._again, quiet=_QUIET)
            if self.wakeup.closed:
                return
            self._again = None
            trigger: Trigger = triggers[0] if triggers else "again"
            log = self._log.bind(cycle=uuid.uuid4().hex[:8], trigger=trigger)
            self.began = time.monotonic()
            try:
                found = self._pass(triggers)
                self._told(log, found.result, trigger, found.error)
            except (ReconcilerError, psycopg.Error) as error:
                self._faltered(log, error, trigger)
            except Exception as error:  # noqa: BLE001 - a fault of ours in one pass must not end the watch over a database
                self._faltered(log, error, trigger)
            finally:
                self.began, self.looks, self.stage = None, False, ""

    def _pass(self, triggers: tuple[Trigger, ...]) -> Pass:
        began = time.monotonic()
        self.looks = True
        found = observed(self.database, told=self._stages)
        self.looks = False
        self.record.took("observe", time.monotonic() - began)
        if found.seen is None or not found.seen.changes:
            self._stalled = None if found.error is None else self._stalled
            self._tell(found)
            self._judge(found)
            return found
        held = self._held(triggers)
        if held is not None:
            found = stalled(found, held)
        # Until the next try has ended, what the last one ended with is what is known.
        self._tell(stalled(found, self._stalled[0]) if self._stalled else found)
        if self.database.mode == "observe":
            self._sketch(found)
        if held is not None or not self.standing.leads:
            return found
        began = time.monotonic()
        with _HEAVY:
            self._stop.check()
            after = acted(
                self.database, found, told=self._stages, stop=self._stop, warrant=self.standing.warrant(),
                on_note=self._log.info, on_statement=lambda progress: self.record.waited(progress.waited),
            )  # fmt: skip
        self.record.took("apply" if self.database.mode == "apply" else "propose", time.monotonic() - began)
        if after.result != "suspended":
            made = after.proposal
            self.record.acted(after, [s.source for s in made.plan.up] if made else ())
            self._plan = plan_document(made.plan, made.rehearsal) if made else None
        self._judge(after)
        self._tell(after)
        return after

    def _sketch(self, found: Pass) -> None:
        """What would be done, for whoever looks at the page; made anew only when something else differs."""
        of = inputs(self.database)
        if of == self._planned:
            return
        self._planned, self._plan = of, None
        try:
            with _HEAVY:
                made = propose(
                    self.database, trust=self.database.trust or "untrusted", told=self._stages, every_row=False,
                    phases=in_phases(self.database),
                )  # fmt: skip
        except ReconcilerError as error:
            self._stop.check()
            self._log.info("no plan is possible now", why=error.what)
            return
        self._plan = plan_document(made.plan, made.rehearsal)
        self._tell(found)

    def _held(self, triggers: tuple[Trigger, ...]) -> ReconcilerError | None:
        """What a person must change first; None when nothing is known of, when something has changed since, or when somebody asks."""
        if self._stalled is None or set(triggers) & {"http", "signal"}:
            return None
        error, made_of = self._stalled
        return error if inputs(self.database) == made_of else None

    def _judge(self, found: Pass) -> None:
        """When it is tried again by itself, after what this pass came to."""
        error = found.error
        if isinstance(error, Waiting):
            self._tries += 1
            pause = min(2.0 ** min(self._tries, 10) / 2, max(self.database.check_interval.seconds, 1.0))
            self._again = time.monotonic() + pause * random.uniform(0.7, 1.3)  # noqa: S311 - replicas must not come all at once
            return
        self._tries = 0
        if found.seen is not None:
            self._stalled = (error, inputs(self.database)) if error is not None else None

    def _tell(self, found: Pass) -> None:
        told: dict[str, Json] = {}
        with suppress(ReconcilerError, psycopg.Error):
            told = telling.facts(self.database, found.seen)
        told["plan"] = self._plan if found.status.drift or found.seen is None else None
        self._publish(self.record.looked(found, told))

    def _told(
        self, log: structlog.BoundLogger, result: str, trigger: Trigger, error: ReconcilerError | None
    ) -> None:
        """One sentence a pass."""
        seconds = time.monotonic() - (self.began or time.monotonic())
        self.record.counted(trigger, result)
        self.record.took("whole", seconds)
        self._publish(self.record.counts())
        status = self.record.status
        # What a person must do is said loudly once.
        news, self._said = error is not None and error is not self._said, error
        level = log.info if not news else log.warning if isinstance(error, Waiting) else log.error
        level(
            error.what if error is not None else _sentence(status), result=result, seconds=round(seconds, 3),
            drift=len(status.drift), extra=len(status.extra), leader=self.standing.leads,
        )  # fmt: skip

    def _faltered(self, log: structlog.BoundLogger, error: Exception, trigger: Trigger) -> None:
        """A pass that did not come to an end that any pass should."""
        if self._stop.asked:
            log.info("the pass was given up", why=self._stop.why)
            return
        passes = isinstance(error, (Waiting, psycopg.OperationalError))
        result = "waiting" if passes else "failed"
        says = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        self._tries += 1
        self._again = time.monotonic() + min(2.0 ** min(self._tries, 10), 300.0)
        self.record.counted(trigger, result)
        if passes:
            log.warning(says, result=result)
            condition = Condition("Waiting", "True", "TriedAgain", says, moment())
        else:
            log.error(
                f"a fault of this program: {type(error).__name__}: {says}", result=result, exc_info=error
            )
            condition = Condition("Faulty", "True", type(error).__name__, says, moment())
        self._publish(self.record.failed(condition))

    def _stages(self, stage: str) -> None:
        """Told of each stage; ends the pass between two of them when the process is to end."""
        self.stage = stage
        self._stop.check()


def _sentence(status: Status) -> str:
    sync = next((c for c in status.conditions if c.type == "InSync"), None)
    return sync.sentence if sync else "not looked at yet"
