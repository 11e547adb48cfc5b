"""What asks for passes when a branch has a new commit. One thread for each repository, so that one that hangs keeps no other waiting.

Promises that what a database is declared by changes from one whole commit to another, and never because a fetch failed. Never looks
at a database.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace

import structlog

from reconciler.daemon.wakeup import Wakeup
from reconciler.engine.checkout import Checkout
from reconciler.engine.fetching import Fetched, remembered
from reconciler.engine.git import end_all
from reconciler.errors import ReconcilerError, Waiting
from reconciler.settings import Database, GitSource, Repository

_log = structlog.get_logger(__name__)


class Repositories:
    """All that the configured databases are declared in. `fetched` may be asked in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followed: dict[tuple[Repository, str], Followed] = {}
        self._of: dict[str, Followed] = {}

    def add(self, database: Database, wakeup: Wakeup) -> None:
        source = database.source
        if source is None:
            return
        with self._lock:
            key = (source.git, source.branch)
            followed = self._followed.get(key)
            if followed is None:
                followed = self._followed[key] = Followed(source)
            self._of[database.name] = followed
        followed.add(database, wakeup)

    def remove(self, name: str) -> None:
        with self._lock:
            followed = self._of.pop(name, None)
            if followed is None or followed.remove(name):
                return
            self._followed = {key: one for key, one in self._followed.items() if one is not followed}
        followed.close()

    def fetched(self, database: Database) -> Fetched:
        """What declares this database now."""
        followed = self._of.get(database.name)
        return followed.fetched(database) if followed is not None else Fetched(database)

    def fetch(self, name: str) -> None:
        """Asks for a fetch, and does not wait for it."""
        followed = self._of.get(name)
        if followed is not None:
            followed.ask()

    def fetch_all(self) -> None:
        for followed in tuple(self._followed.values()):
            followed.ask()

    def close(self) -> None:
        for followed in tuple(self._followed.values()):
            followed.close()
        end_all()


class Followed:
    """One branch of one repository, and the databases that are declared in it."""

    def __init__(self, source: GitSource) -> None:
        self._checkout = Checkout(source)
        self._lock = threading.Lock()
        self._members: dict[str, tuple[Database, Wakeup]] = {}
        self._found: dict[str, Fetched] = {}
        self._asked = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name=f"git {source.branch}", daemon=True)
        self._thread.start()

    def add(self, database: Database, wakeup: Wakeup) -> None:
        with self._lock:
            self._members[database.name] = (database, wakeup)
        self.ask()

    def remove(self, name: str) -> bool:
        """Whether somebody is left."""
        with self._lock:
            self._members.pop(name, None)
            self._found.pop(name, None)
            return bool(self._members)

    def fetched(self, database: Database) -> Fetched:
        with self._lock:
            return self._found.get(database.name) or Fetched(database)

    def ask(self) -> None:
        self._asked.set()

    def close(self) -> None:
        """Does not wait for a server that does not answer."""
        self._ends = True
        self._asked.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                polls = [
                    one.source.poll.seconds for one, _ in self._members.values() if one.source is not None
                ]
            # Replicas must not come all at once.
            self._asked.wait(min(polls) * random.uniform(0.9, 1.1) if polls else None)  # noqa: S311
            self._asked.clear()
            if self._ends:
                return
            try:
                self._look()
            except Exception:  # noqa: BLE001 - a fault of ours in one fetch must not end all that follow
                _log.exception("a fault of this program: the repository is asked again at its next poll")

    def _look(self) -> None:
        with self._lock:
            members = tuple(self._members.values())
        try:
            commit = self._checkout.fetch()
        except ReconcilerError as error:
            for database, wakeup in members:
                self._failed(database, wakeup, error)
            return
        for database, wakeup in members:
            before, log = self.fetched(database), _log.bind(database=database.name)
            try:
                if before.database.commit != commit:
                    found = database.at(commit, self._checkout.tree(database, commit))
                else:
                    found = before.database
            except ReconcilerError as error:
                self._failed(database, wakeup, error)
                continue
            if before.trouble is not None:
                log.info("the repository is there again", repository=str(self._checkout.source.git))
            self._keep(Fetched(found, time.time()))
            if before.database.commit != commit:
                log.info("another commit is declared", commit=commit, branch=self._checkout.source.branch)
                wakeup.ask("git")

    def _failed(self, database: Database, wakeup: Wakeup, error: ReconcilerError) -> None:
        """The last commit stays in force, also that of the process before this one."""
        if self._ends:
            return
        before = self.fetched(database)
        news = before.trouble is None or before.trouble.what != error.what
        if news:
            log = _log.bind(database=database.name)
            (log.warning if isinstance(error, Waiting) else log.error)(error.what, hint=error.hint)
        kept = before if before.database.commit else replace(before, database=remembered(database))
        self._keep(replace(kept, trouble=error, since=before.since or time.time()))
        if kept.database.commit != before.database.commit or (news and not kept.database.commit):
            wakeup.ask("git")

    def _keep(self, found: Fetched) -> None:
        with self._lock:
            if found.database.name in self._members:
                self._found[found.database.name] = found
