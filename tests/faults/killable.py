"""Applies migrations in processes of their own, so that a test may kill them at any moment.

    python killable.py

Standard input: one JSON object per run: `url`, `file` (of a migration) and `direction` (`up` or `down`), and for the whole of
`reconciler apply` and `rollback` also `project`, the settings of the database; then, once the run was seen to end, the line `reap`. Standard output: the process id of the run (a forked child: importing the program anew each time
would take longer than the run), then `ended`, then a JSON list of exit status and what the run said about its end.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from reconciler.cli.stopping import stoppable
from reconciler.engine import applying
from reconciler.errors import ReconcilerError
from reconciler.migrate import apply, parse, rollback
from reconciler.model import HazardCode
from reconciler.pg import Url
from reconciler.run import Pace
from reconciler.run.stop import Stop
from reconciler.settings import Database

GRACE = 0.2
"""Seconds that a statement may go on after SIGTERM."""


def run(url: str, file: str, direction: str, project: dict[str, Any] | None = None) -> str:
    """How it ended: `done`, or the kind of the error and its message."""
    path = Path(file)
    try:
        with stoppable(GRACE) as stop:
            if project is not None:
                _command(Url.parse(url), path, direction, project, stop)
            else:
                _file(Url.parse(url), path, direction, stop)
    except ReconcilerError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def _file(url: Url, file: Path, direction: str, stop: Stop) -> None:
    migration = parse(file.read_text(), file.name)
    try:
        (apply if direction == "up" else rollback)(
            url, migration, on_session=stop.watch, fence=lambda session: stop.check(), pace=Pace(sleep=stop.sleep)
        )  # fmt: skip
    finally:
        stop.rest()


def _command(url: Url, file: Path, direction: str, project: dict[str, Any], stop: Stop) -> None:
    settings = {**project, "schema_dir": Path(project["schema_dir"]), "shadow": Url.parse(project["shadow"])}
    database = Database(name="faults", url=url, migrations_dir=file.parent, **settings)
    every = {code.value for code in HazardCode}
    if direction == "up":
        applying.apply(database, allow=every, stop=stop)
    else:
        applying.rollback(database, to="0", allow=every, stop=stop)


def main() -> None:
    while line := sys.stdin.readline():
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            try:
                said = run(**json.loads(line))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to see it
                said = f"bug: {type(error).__name__}: {error}"
            os.write(tell, said.encode()[:4000])
            os._exit(0)
        os.close(tell)
        print(child, flush=True)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        print("ended", flush=True)
        sys.stdin.readline()  # until then the process id cannot become somebody else's
        _, status = os.waitpid(child, 0)
        with os.fdopen(told, "rb") as said_by_it:
            print(json.dumps([os.waitstatus_to_exitcode(status), said_by_it.read().decode()]), flush=True)


if __name__ == "__main__":
    main()
