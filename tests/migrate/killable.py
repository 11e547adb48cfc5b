"""Applies a folder of migrations in a process of its own, so that a test may kill it at any moment.

    python killable.py DIRECTORY

On standard input: the URL, then for each run `up` or `down`, and `reap` when it was killed. Every run is a
forked child (importing the program anew each time would take longer than the run); its process id is the
first line it writes, then one line per statement, then `done`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from reconciler.migrate import Progress, apply, load_directory, rollback
from reconciler.pg import Url


def told(progress: Progress) -> None:
    print(f"step {progress.step}", flush=True)


def run(directory: Path, url: Url, direction: str) -> None:
    print(os.getpid(), flush=True)
    migrations = load_directory(directory)
    for migration in migrations if direction == "up" else reversed(migrations):
        if direction == "up":
            apply(url, migration, on_progress=told)
        else:
            rollback(url, migration, on_progress=told)
    print("done", flush=True)


def main(directory: Path) -> None:
    url = Url.parse(sys.stdin.readline())
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(directory, url, line.strip())
            os._exit(0)
        sys.stdin.readline()  # until then the process id cannot become somebody else's
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
