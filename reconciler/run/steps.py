"""The cut of a script into steps: what takes effect together, and what stands alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reconciler.model import Statement, Step


def steps(statements: Sequence[Statement]) -> tuple[Step, ...]:
    """Contiguous transactional statements form one step, until one that stands apart; each other statement is a step of its own.

    Numbers count from 1. The same statements always give the same steps, so that a number recorded in the
    history still means the same after a crash.
    """
    return tuple(Step(number, group) for number, group in enumerate(_groups(statements), start=1))


def normalised(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements without an `apart` that says nothing: at the beginning, or beside one outside transactions."""
    found: list[Statement] = []
    for statement in statements:
        separates = statement.transactional and bool(found) and found[-1].transactional
        found.append(statement if separates or not statement.apart else replace(statement, apart=False))
    return tuple(found)


def _groups(statements: Sequence[Statement]) -> Iterator[tuple[Statement, ...]]:
    group: list[Statement] = []
    for statement in statements:
        if group and not (statement.transactional and not statement.apart and group[-1].transactional):
            yield tuple(group)
            group = []
        group.append(statement)
    if group:
        yield tuple(group)
