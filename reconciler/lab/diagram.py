"""A schedule for a person: one column for each transaction, one line for each turn."""

from __future__ import annotations

from reconciler.lab.values import Race, Ran

_WIDE = 46


def lanes(race: Race, ran: Ran) -> tuple[str, ...]:
    """Text lines. What a transaction did in a turn stands in its column; below its last turn how it ended."""
    lines = [_line("turn", [f"{n} {name}" for n, name in enumerate(actors(race), start=1)])]
    for number, step in enumerate(ran.steps, start=1):
        told = step.began + (" → waits for a lock" if step.then == "blocked" else "")
        lines.append(_line(str(number), [told if n == step.actor else "" for n in range(len(race.actors))]))
    lines.append(_line("end", list(ends(ran))))
    return tuple(line.rstrip() for line in lines)


def actors(race: Race) -> tuple[str, ...]:
    return tuple(f"{one.name} ({one.identity})" if one.identity else one.name for one in race.actors)


def ends(ran: Ran) -> tuple[str, ...]:
    """How each transaction ended."""
    return tuple(
        f"fails: {end.failure.message} [{end.failure.sqlstate}]"
        if end.failure
        else ("committed" if end.committed else "rolled back")
        for end in ran.ended
    )


def _line(turn: str, cells: list[str]) -> str:
    return f"{turn:>4}  " + "  ".join(_cut(cell).ljust(_WIDE) for cell in cells)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"
