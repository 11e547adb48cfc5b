"""`demo`: the whole program in one minute, on a server of its own, with nothing to configure."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.engine.demo import Stage
    from reconciler.migrate import Progress
    from reconciler.model import Status
    from reconciler.web import Published, Serving

_ALL = frozenset({"all"})
_PAUSE = 15.0
"""Seconds between two looks at the database while the page is served."""


def demo(*, once: bool, screen: Screen | None = None, folder: Path | None = None) -> None:
    """Four acts: apply, drift and repair, change and rollback, audit; then, unless `once`, the status page until a signal.

    With `once` everything is removed at the end; else the server's data stays in `folder` (default: the user's data
    folder) for the next time. Raises `Stalled` when an act does not end as promised.
    """
    from reconciler.engine import demo as play

    screen = screen or Screen()
    began = time.monotonic()
    place = folder or (None if once else play.kept_folder(os.environ))
    _heading(screen, "A PostgreSQL of its own")
    with play.stage(place.absolute() if place else None) as stage:
        screen.say(f"PostgreSQL {stage.server.major} on port {stage.server.url.port}, database {play.NAME}.")
        screen.say(f"Data: {place}" if place else "Everything is removed at the end.")
        _apply(screen, stage)
        _repair(screen, stage)
        _take_back(screen, stage)
        _attack(screen, stage)
        status = _closing(screen, stage)
        screen.say(f"Done in {time.monotonic() - began:.0f} s.")
        if not once:
            _serve(screen, stage, status)


def _apply(screen: Screen, stage: Stage) -> None:
    from reconciler.engine import demo as play
    from reconciler.engine.applying import apply
    from reconciler.migrate import load_directory

    _heading(screen, "Act 1: apply what is declared")
    with screen.progress() as told:
        done = apply(stage.database, allow=_ALL, told=told, on_statement=_counting(told))
    if not done:
        screen.say("The database is as declared already: an earlier demonstration applied it.")
    for row in done:
        file = next(m for m in load_directory(stage.database.migrations) if m.version == row.version)
        screen.say(f"Planned, rehearsed on a shadow, written, applied: {file.filename}")
        header = dict(file.header)
        screen.say(
            f"  up {len(file.up)} statements, down {len(file.down)}; rehearsed: {header.get('rehearsed', 'no')}"
        )
        screen.say(f"  applied in {row.seconds:.2f} s as {row.applied_by}")
    play.seed(stage)
    for table, content in play.rows(stage).items():
        screen.say(f"  {table}: {content}")


def _repair(screen: Screen, stage: Stage) -> None:
    from reconciler.cli.present import plan as lines
    from reconciler.cli.present.objects import changed_objects
    from reconciler.engine import demo as play
    from reconciler.engine.applying import apply
    from reconciler.engine.planning import propose
    from reconciler.errors import Stalled

    _heading(screen, "Act 2: drift, and its repair")
    for what, sql in play.BY_HAND:
        screen.say(f"By hand: {what}", *(f"    {line}" for line in sql.splitlines()))
    play.tamper(stage)
    before = play.rows(stage)
    with screen.progress() as told:
        found = propose(stage.database, told=told)
    screen.say("", f"{len(found.plan.changes)} differences:")
    screen.say_all(changed_objects(found.plan.changes, found.before, found.after))
    screen.say("", "The plan that repairs it", "")
    screen.say_all(lines.plan_lines(found.plan, found.rehearsal, major=found.major))
    if found.rehearsal is None or not found.rehearsal.passed:
        raise Stalled("the repair did not pass its rehearsal", hint="please report this")
    codes = sorted({hazard.code for hazard in found.plan.hazards})
    if codes:
        screen.say(f"Without consent apply refuses this. Here it is given: --allow {','.join(codes)}")
    with screen.progress() as told:
        done = apply(stage.database, allow=_ALL, told=told, on_statement=_counting(told))
    screen.say(f"Applied as {done[0].version} in {done[0].seconds:.2f} s, then read back: as declared.")
    _compare_rows(screen, before, play.rows(stage))


def _take_back(screen: Screen, stage: Stage) -> None:
    from reconciler.cli.present import plan as lines
    from reconciler.engine import demo as play
    from reconciler.engine.applying import apply, rollback
    from reconciler.migrate import load_directory

    _heading(screen, "Act 3: a change, and its rollback")
    before = play.rows(stage)
    for what, _, _ in play.EDITS:
        screen.say(f"Edited in {play.FILE}: {what}")
    play.edit(stage)
    with screen.progress() as told:
        (done,) = apply(stage.database, allow=_ALL, told=told, on_statement=_counting(told))
    file = next(m for m in load_directory(stage.database.migrations) if m.version == done.version)
    screen.say("", f"UP of {file.filename}")
    screen.say_all(lines.statement_lines(file.up))
    screen.say(f"Applied in {done.seconds:.2f} s. Taking it back:", "", f"DOWN of {file.filename}")
    screen.say_all(lines.statement_lines(file.down))
    with screen.progress() as told:
        (undone,) = rollback(stage.database, allow=_ALL, told=told, on_statement=_counting(told))
    screen.say(f"Rolled back in {undone.seconds:.2f} s, after a rehearsal of its own.")
    play.take_back(stage)
    _compare_rows(screen, before, play.rows(stage))
    screen.say(
        "(Values written into the new column since the change would be kept, and be there again when it comes back.)"
    )


def _attack(screen: Screen, stage: Stage) -> None:
    from reconciler.cli.present.audit import audit_lines
    from reconciler.engine import demo as play
    from reconciler.errors import Stalled

    _heading(screen, "Act 4: two tenants attack each other, on a copy")
    with screen.progress() as told:
        found, broken = play.audits(stage, told)
    screen.say_all(audit_lines(found))
    if found.leaks:
        raise Stalled("the audit broke through the demonstration's schema", hint="please report this")
    what, sql = play.OPENED
    screen.say("", f"On another copy {what}:", f"    {sql}")
    leak = next((one for one in broken.leaks if one.command == "SELECT"), None)
    if leak is None:
        raise Stalled("the audit did not see an open policy", hint="please report this")
    screen.say(f"The audit, as {leak.identity}: {leak.reason}", f"    {leak.attack}")
    screen.say("Its script shows the leak in psql; reconciler audit --out DIR writes one for each.")


def _closing(screen: Screen, stage: Stage) -> Status:
    from reconciler.cli.present.conditions import status_lines
    from reconciler.engine import demo as play
    from reconciler.engine.looking import as_wished
    from reconciler.errors import Stalled

    _heading(screen, "At the end")
    status = play.observe(stage)
    screen.say_all(status_lines(status))
    if not all(as_wished(condition) for condition in status.conditions):
        raise Stalled("the demonstration did not end in sync", hint="please report this")
    return status


def _serve(screen: Screen, stage: Stage, status: Status) -> None:
    from reconciler.engine import demo as play
    from reconciler.web import Board, Published

    board = Board(Published((status,)))
    stop = threading.Event()
    ours = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, lambda number, frame: stop.set()) for one in ours]
    with _serving(lambda: board.current) as server:
        screen.say("", f"Status page: {server.url}   (Ctrl-C ends)")
        while not stop.wait(_PAUSE):
            board.current = Published((play.observe(stage),))
    for one, handler in zip(ours, before, strict=True):
        signal.signal(one, handler)
    folder = stage.folder.parent
    screen.say("", f"Stopped. The data stays for the next time; delete the folder to begin again: {folder}")


@contextmanager
def _serving(read: Callable[[], Published]) -> Iterator[Serving]:
    """On the usual port, or on a free one where that is taken."""
    from reconciler.errors import Stalled
    from reconciler.settings import Listen
    from reconciler.web import serving

    with ExitStack() as until_the_end:
        try:
            server = until_the_end.enter_context(serving(Listen("127.0.0.1", 8432), read))
        except Stalled:
            server = until_the_end.enter_context(serving(Listen("127.0.0.1", 0), read))
        yield server


def _compare_rows(screen: Screen, before: dict[str, str], after: dict[str, str]) -> None:
    from reconciler.errors import Stalled

    screen.say(*(f"  {table}: {content}" for table, content in after.items()))
    if before != after:
        raise Stalled(f"the rows are not what they were: {before}", hint="please report this")
    screen.say("  The rows are the same as before.")


def _counting(told: Callable[[str], None]) -> Callable[[Progress], None]:
    return lambda progress: told(f"{progress.direction} {progress.number} of {progress.total}")


def _heading(screen: Screen, text: str) -> None:
    from rich.text import Text

    screen.say("", Text(text, style="bold"), "")
