"""A schedule for a person: one column for each transaction, one line for each turn."""

from __future__ import annotations

from reconciler.lab.values import Race, Ran

_WIDE = 46


def lanes(race: Race, ran: Ran) -> tuple[str, ...]:
    """Text lines. What a transaction did in a turn stands in its column; below its last turn how it ended."""
    heads = [
        f"{n} {actor.name}" + (f" ({actor.identity})" if actor.identity else "")
        for n, actor in enumerate(race.actors, start=1)
    ]
    lines = [_line("turn", heads)]
    for number, step in enumerate(ran.steps, start=1):
        told = step.began + (" → waits for a lock" if step.then == "blocked" else "")
        lines.append(_line(str(number), [told if actor == step.actor else "" for actor in range(len(heads))]))
    ends = []
    for end in ran.ended:
        failure = f"fails: {end.failure.message} [{end.failure.sqlstate}]" if end.failure else ""
        ends.append(failure or ("committed" if end.committed else "rolled back"))
    lines.append(_line("end", ends))
    return tuple(line.rstrip() for line in lines)


def _line(turn: str, cells: list[str]) -> str:
    return f"{turn:>4}  " + "  ".join(_cut(cell).ljust(_WIDE) for cell in cells)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"
