"""Runs statements, whole or not at all: steps, timeouts, retries, who holds the lock, measurements."""

from reconciler.run.execute import Connection, Hook, Outcome, run_step
from reconciler.run.holders import Blocked, Holder, blocked
from reconciler.run.measure import measured
from reconciler.run.nature import (
    ConcurrentBuild,
    concurrent_build,
    is_transactional,
    may_stand_inside,
    waits_without_blocking,
)
from reconciler.run.pace import Pace
from reconciler.run.reading import reading
from reconciler.run.steps import steps
from reconciler.run.trouble import shortened

__all__ = [
    "Blocked",
    "ConcurrentBuild",
    "Connection",
    "Holder",
    "Hook",
    "Outcome",
    "Pace",
    "blocked",
    "concurrent_build",
    "is_transactional",
    "may_stand_inside",
    "measured",
    "reading",
    "run_step",
    "shortened",
    "steps",
    "waits_without_blocking",
]
