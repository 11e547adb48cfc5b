"""The cut of a script into steps: what takes effect together, and what stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from reconciler.model import Statement, Step


def steps(statements: Sequence[Statement]) -> tuple[Step, ...]:
    """Contiguous transactional statements form one step; each other statement is a step of its own.

    Numbers count from 1. The same statements always give the same steps, so that a number recorded in the
    history still means the same after a crash.
    """
    groups: list[tuple[Statement, ...]] = []
    for transactional, run in groupby(statements, key=lambda statement: statement.transactional):
        members = tuple(run)
        groups.extend([members] if transactional else [(member,) for member in members])
    return tuple(Step(number, group) for number, group in enumerate(groups, start=1))
