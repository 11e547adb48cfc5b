"""The daemon: a worker for each database, what asks them, the pages, and the signals; from the first look to the last.

The main thread does nothing but that: it looks every half second whether all of them live, so that /healthz tells of this loop
and never of a database. SIGTERM and SIGINT end it in order (a second one at once), SIGHUP reads the configuration again, SIGUSR1
asks for a pass of every database.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

import structlog

from reconciler.daemon import log as lines
from reconciler.daemon.git import Repositories
from reconciler.daemon.producers import Clock, Files
from reconciler.daemon.wakeup import Trigger
from reconciler.daemon.worker import Worker
from reconciler.engine.requested import Requests
from reconciler.errors import ReconcilerError, Usage
from reconciler.model import Status
from reconciler.pg import Secret, Url
from reconciler.settings import Config, Database, Http
from reconciler.web import Published, serving

_TICK = 0.5
_PROMISE = 15.0
"""Seconds after which the loop counts as hung when it has not come round."""
_OVERDUE = 60.0
"""Seconds that a look may take before the database counts as not known; three intervals where that is longer."""
_CLEARING = 5.0
"""Seconds, beyond the grace time, for clearing up after a statement."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class Loop:
    """All databases of one configuration. `load` reads the configuration anew."""

    def __init__(self, load: Callable[[], Config]) -> None:
        self._http = Http()
        self._file: Path | None = None
        self._load = load
        self._workers: dict[str, Worker] = {}
        self._statuses: dict[str, Status] = {}
        self._lock = threading.Lock()
        self._log = structlog.get_logger(__name__)
        self._promise = time.monotonic() + _PROMISE
        self._clock, self._files, self._git = Clock(), Files(), Repositories()

    def follow(self, config: Config) -> None:
        """Looks after the databases of this configuration and no others; those that did not change go on undisturbed."""
        self._http, self._file = config.http, config.file
        lines.mask(secrets_of(config))
        wanted = {database.name: database for database in config.databases}
        leaving = [w for name, w in self._workers.items() if wanted.get(name) != w.database]
        self._leave(leaving, "the configuration changed")
        for worker in leaving:
            self._clock.remove(worker.database.name)
            self._files.remove(worker.database.name)
        for name, database in wanted.items():
            if name not in self._workers:
                self._take(database, next((w for w in leaving if w.database.name == name), None))

    def turn(self) -> None:
        """Once round: whoever died is replaced, and the promise is given to come again. Only the main thread promises."""
        for worker in tuple(self._workers.values()):
            if not worker.alive and not worker.wakeup.closed:
                self._log.error("a worker died and is replaced", database=worker.database.name)
                self._take(worker.database)
        self._promise = time.monotonic() + _PROMISE

    def published(self) -> Published:
        """Everything as it is known now. What a clock alone decides is as of now: whether a look takes too long, whether a lease is
        over."""
        with self._lock:
            shown, promise = dict(self._statuses), self._promise
        return Published(tuple(self._as_known(status) for status in shown.values()), promise)

    def token(self) -> Secret | None:
        """What the configuration of now asks for."""
        return self._http.token()

    def databases(self) -> tuple[Database, ...]:
        """Those that are looked after now."""
        return tuple(worker.declared for worker in tuple(self._workers.values()))

    def ask(self, name: str, trigger: Trigger = "http") -> None:
        """Asks for a pass of one database."""
        worker = self._workers.get(name)
        if worker is not None:
            worker.wakeup.ask(trigger)
            self._git.fetch(name)

    def leads(self, name: str) -> bool | None:
        """Whether this process may change the database; None where nobody needs to lead."""
        worker = self._workers.get(name)
        return worker.standing.leads if worker is not None else None

    def ask_all(self) -> None:
        for database in self.databases():
            self.ask(database.name, "signal")

    def reload(self) -> None:
        """Reads the configuration again; a wrong one changes nothing."""
        try:
            config = self._load()
            if config.file != self._file:
                raise Usage(
                    f"{self._file or 'no file'} was the configuration, and now it is {config.file or 'no file'}",
                    hint="put it back, or start the process anew",
                )
            check(config)
        except ReconcilerError as error:
            self._log.error("the configuration is wrong, the one before stays", error=str(error))
            return
        if config.http.listen != self._http.listen:
            self._log.warning("http.listen is read at the start only: it stays as it was")
        lines.configure(config.log)
        slowest = max((w.database.grace.seconds for w in self._workers.values()), default=0.0)
        self._promise = time.monotonic() + slowest + _CLEARING + _PROMISE
        self.follow(config)
        self._git.fetch_all()
        self._log.info("the configuration was read again", databases=len(config.databases))

    def close(self, why: str) -> bool:
        """Ends every worker in order; whether all of them ended in time."""
        self._clock.close()
        self._files.close()
        self._git.close()
        return self._leave(list(self._workers.values()), why)

    def hurry(self, why: str) -> None:
        """Cancels what is under way."""
        for worker in tuple(self._workers.values()):
            worker.end(why)

    def _take(self, database: Database, before: Worker | None = None) -> None:
        """`before` is who looked after it with another configuration: since when it differs stays known."""
        same = before is not None and not before.alive and _where(before.database) == _where(database)
        record = before.record.heir(database.mode) if before is not None and same else None
        worker = Worker(database, self._publish, lambda: self._git.fetched(database), record)
        self._workers[database.name] = worker
        worker.start()
        self._clock.add(database.name, database.check_interval.seconds, worker.wakeup)
        if database.source is None:
            self._files.add(database.name, {database.schema_dir, database.migrations}, worker.wakeup)
        self._git.add(database, worker.wakeup)

    def _leave(self, workers: Sequence[Worker], why: str) -> bool:
        """All of them at once, and until one moment. What is heard of one that does not end in time is published no more."""
        for worker in workers:
            worker.end(why)
        deadline = (
            time.monotonic() + max((w.database.grace.seconds for w in workers), default=0.0) + _CLEARING
        )
        ended = True
        for worker in workers:
            name = worker.database.name
            if not worker.join(deadline):
                ended = False
                worker.standing.close()
                self._log.warning(
                    "its pass did not end in time and is left", database=name, stage=worker.stage
                )
            if self._workers.get(name) is worker:
                del self._workers[name]
                self._git.remove(name)
            with self._lock:
                self._statuses.pop(name, None)
        return ended

    def _publish(self, worker: Worker, status: Status) -> None:
        with self._lock:
            if self._workers.get(status.database) is worker:
                self._statuses[status.database] = status

    def _as_known(self, status: Status) -> Status:
        worker = self._workers.get(status.database)
        if worker is None:
            return status
        status = replace(status, facts={**status.facts, "leader": worker.standing.leads})
        status = self._git.fetched(worker.database).told_of(status)
        limit = max(_OVERDUE, 3 * worker.database.check_interval.seconds)
        since, now = worker.looks_since, time.monotonic()
        if not worker.alive:
            reason, says = "Died", "its worker died, and is replaced"
        elif since is not None and now - since >= limit:
            reason, says = (
                "Overdue",
                f"the look has taken {int(now - since)} s so far: {worker.stage or 'connect'}",
            )
        else:
            return status
        return worker.record.unknown(status, reason, says)


def run(load: Callable[[], Config], *, serving_at: Callable[[str], None] = lambda url: None) -> bool:
    """Runs until a signal ends it; whether everything ended in time. `serving_at` is told the address of the pages.

    Raises Usage for a configuration that is wrong at the start, Stalled when the address cannot be listened on.
    """
    config = load()
    check(config)
    lines.configure(config.log)
    with ExitStack() as until_the_end, _asked() as asked:
        loop = Loop(load)
        requests = Requests(loop.databases, loop.ask, loop.leads)
        server = until_the_end.enter_context(
            serving(config.http.listen, loop.published, actions=requests, token=loop.token)
        )
        serving_at(server.url)
        logger = structlog.get_logger(__name__)
        logger.info("begins", databases=len(config.databases), page=server.url)
        loop.follow(config)
        while True:
            loop.turn()
            try:
                number = asked.get(timeout=_TICK)
            except Empty:
                continue
            if number in (signal.SIGTERM, signal.SIGINT):
                break
            if number == signal.SIGHUP:
                loop.reload()
            else:
                loop.ask_all()
        why = signal.Signals(number).name
        logger.info("ends in order", why=why)
        done: SimpleQueue[bool] = SimpleQueue()

        def end() -> None:
            ended = False
            try:
                ended = loop.close(why)
            finally:
                done.put(ended)

        threading.Thread(target=end, name="ending", daemon=True).start()
        while True:
            loop.turn()
            try:
                ended = done.get(timeout=_TICK)
                break
            except Empty:
                if not asked.empty() and asked.get() in (signal.SIGTERM, signal.SIGINT):
                    loop.hurry("a second signal")
        logger.info("ended", in_time=ended)
        return ended


def _where(database: Database) -> tuple[object, ...]:
    return database.url, database.url_file


def check(config: Config) -> None:
    """Raises Usage for a configuration that leaves nothing to look after."""
    if not config.databases:
        raise Usage(
            "no database is configured", hint="reconciler init writes a reconciler.yaml; or give --url"
        )
    for database in config.databases:
        if database.url is None and database.url_file is None:
            database.target()  # nobody can give it one later: raises Usage


def secrets_of(config: Config) -> Iterator[Secret]:
    """Every password and token that can be known now."""
    for database in config.databases:
        with suppress(ReconcilerError):
            yield from (secret for _, secret in database.target().secrets)
        if database.source is not None:
            yield from database.source.git.secrets
        if isinstance(database.shadow, Url):
            yield from (secret for _, secret in database.shadow.secrets)
    with suppress(ReconcilerError):
        token = config.http.token()
        if token is not None:
            yield token


@contextmanager
def _asked() -> Iterator[SimpleQueue[int]]:
    """The signals as they come; a handler may not take a lock, and this queue needs none."""
    queue: SimpleQueue[int] = SimpleQueue()

    def handle(number: int, frame: FrameType | None) -> None:
        queue.put(number)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield queue
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
