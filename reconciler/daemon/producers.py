"""What asks for passes without looking at a database: the clock, and the files.

Both only ask. An event of a file is a hint: a link that is swapped above the watched folder (as git-sync does) gives none, so it is
also looked every second where each name leads, and the clock comes round anyway.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from watchfiles import watch

from reconciler.daemon.wakeup import Wakeup

_log = structlog.get_logger(__name__)
_DEBOUNCE, _STEP, _LOOK = 200, 50, 1_000
"""Milliseconds: how long events are gathered, how often that is looked at, and how often it is seen where the names lead."""


class Clock:
    """Asks for a pass of each database at its interval, each at another moment."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._scheduler.start()

    def add(self, name: str, seconds: float, wakeup: Wakeup) -> None:
        first = datetime.now(UTC) + timedelta(seconds=random.uniform(0.5, 1.0) * seconds)  # noqa: S311 - not all at once
        self._scheduler.add_job(
            wakeup.ask, "interval", args=("timer",), seconds=seconds, next_run_time=first, id=name, replace_existing=True,
        )  # fmt: skip

    def remove(self, name: str) -> None:
        self._scheduler.remove_job(name)

    def close(self) -> None:
        self._scheduler.shutdown(wait=False)


class Files:
    """Asks for a pass of a database when something under its folder moved, or when its name leads to another folder. One thread for
    all of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[tuple[Path, ...], Wakeup]] = {}
        self._again = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)
        self._thread.start()

    def add(self, name: str, folders: Iterable[Path], wakeup: Wakeup) -> None:
        with self._lock:
            self._wanted[name] = (tuple(folder.absolute() for folder in folders), wakeup)
        self._again.set()

    def remove(self, name: str) -> None:
        with self._lock:
            self._wanted.pop(name, None)
        self._again.set()

    def close(self) -> None:
        self._ends = True
        self._again.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        before: dict[Path, tuple[Path, int] | None] = {}
        while not self._ends:
            self._again.clear()
            with self._lock:
                wanted = tuple(self._wanted.values())
            now = {folder: _lies(folder) for folders, _ in wanted for folder in folders}
            for folders, wakeup in wanted:
                if any(folder in before and before[folder] != now[folder] for folder in folders):
                    wakeup.ask("files")
            before = now
            try:
                self._watch(wanted, now)
            except (
                OSError,
                RuntimeError,
            ) as error:  # a folder went while it was about to be watched, or there are too many
                _log.warning("files are not watched now: the clock comes round anyway", error=str(error))
                self._again.wait(_LOOK / 1000)

    def _watch(
        self, wanted: Sequence[tuple[tuple[Path, ...], Wakeup]], lies: Mapping[Path, tuple[Path, int] | None]
    ) -> None:
        """Returns when another folder is to be watched."""
        real = sorted({place[0] for place in lies.values() if place is not None})
        if not real:
            self._again.wait(_LOOK / 1000)
            return
        for events in watch(
            *real, watch_filter=None, debounce=_DEBOUNCE, step=_STEP, rust_timeout=_LOOK, yield_on_timeout=True,
            stop_event=self._again, ignore_permission_denied=True,
        ):  # fmt: skip
            moved = [Path(path) for _, path in events]
            for folders, wakeup in wanted:
                homes = [place[0] for place in map(lies.get, folders) if place is not None]
                if any(path.is_relative_to(home) for path in moved for home in homes):
                    wakeup.ask("files")
            if any(_lies(folder) != place for folder, place in lies.items()):
                return


def _lies(folder: Path) -> tuple[Path, int] | None:
    """Which folder the name leads to now: where it is, and which one of that name."""
    try:
        real = folder.resolve(strict=True)
        return (real, real.stat().st_ino) if real.is_dir() else None
    except OSError:
        return None
