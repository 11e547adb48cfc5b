"""Looks, while faults happen, whether two sessions ever apply at once, or one without the applier's lock."""

from __future__ import annotations

import threading

import psycopg
from state import HOLDS

from reconciler.errors import ReconcilerError
from reconciler.pg import Url, connect

PAUSE = 0.02
# One scan of the locks: who changes anything here, and who holds the lock.
LOOK = f"""
select l.pid, l.holds
  from (select pid, bool_or({HOLDS}) as holds,
               bool_or(locktype = 'relation' and granted and relation >= 16384
                       and mode not in ('AccessShareLock', 'RowShareLock')) as changes
          from pg_catalog.pg_locks
         where database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
         group by pid) as l
  join pg_catalog.pg_stat_activity as a on a.pid = l.pid
 where l.changes and a.application_name = 'reconciler apply'
 order by l.pid
"""


class Sampler:
    """`breaches` are what it saw in two looks, one after the other; `looks` how often it looked."""

    def __init__(self, url: Url) -> None:
        self.breaches: list[str] = []
        self.looks = 0
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        before: set[int] = set()
        while not self._stop.is_set():
            try:
                with connect(self._url, application_name="sampler") as session:
                    while not self._stop.wait(PAUSE):
                        found = session.execute(LOOK.encode()).fetchall()
                        self.looks += 1
                        wrong = {pid for pid, holds in found if not holds}
                        if len(found) > 1:
                            wrong = {pid for pid, _ in found}
                        if wrong & before:
                            self.breaches.append(f"two appliers: {found}")
                        before = wrong
            except (psycopg.OperationalError, ReconcilerError):
                self._stop.wait(0.03)
