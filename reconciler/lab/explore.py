"""Which schedules there are, and which of them are tried: few changes of turn first, all of them under a limit, drawn ones beyond.

A race has no state that could be copied, so every schedule is played from its beginning (stateless search). What is tried first has the
fewest preemptions, a session set aside although it could go on: most faults need one or two (Musuvathi and Qadeer, Iterative Context
Bounding, 2007).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.lab.values import Ran

Play = Callable[[Callable[[Sequence[int], int], int]], Ran]


@dataclass(frozen=True, slots=True)
class Limits:
    """At most `schedules` are played in order, with up to `preemptions`; then `drawn` at random, from `seed`."""

    schedules: int = 400
    preemptions: int = 4
    drawn: int = 0
    seed: int = 0


USUAL = Limits()


def follow(choices: Sequence[int]) -> Callable[[Sequence[int], int], int]:
    """These choices, then whoever went last as long as they can, then the first that can. A choice that is not possible is skipped."""
    left = list(choices)

    def choose(able: Sequence[int], last: int) -> int:
        while left:
            wanted = left.pop(0)
            if wanted in able:
                return wanted
        return last if last in able else able[0]

    return choose


def schedules(play: Play, limits: Limits, left: Callable[[int], None] = lambda number: None) -> Iterator[Ran]:
    """Plays them, each once. `left` is told at the end how many beginnings were known and not followed; 0 means that all were played."""
    played: set[tuple[int, ...]] = set()
    waiting: dict[int, list[tuple[int, ...]]] = {0: [()]}
    for bound in range(limits.preemptions + 1):
        for prefix in _drain(waiting, bound):
            if len(played) >= limits.schedules:
                waiting[bound].insert(0, prefix)
                break
            ran = play(follow(prefix))
            if ran.choices in played:
                continue
            played.add(ran.choices)
            yield ran
            for at in range(len(prefix), len(ran.choices)):
                for other in ran.open[at]:
                    if other == ran.choices[at]:
                        continue
                    start = (*ran.choices[:at], other)
                    count = preemptions(start, ran.open)
                    waiting.setdefault(count, []).append(start)
    left(sum(len(found) for found in waiting.values()))
    chance = random.Random(limits.seed)  # noqa: S311 - which schedule is drawn is no secret
    for _ in range(limits.drawn):
        ran = play(lambda able, last: chance.choice(able))
        if ran.choices not in played:
            played.add(ran.choices)
            yield ran


def preemptions(choices: Sequence[int], opened: Sequence[Sequence[int]]) -> int:
    """How often a session was set aside that could have gone on."""
    return sum(
        1 for at in range(1, len(choices)) if choices[at] != choices[at - 1] and choices[at - 1] in opened[at]
    )


def _drain(waiting: dict[int, list[tuple[int, ...]]], bound: int) -> Iterator[tuple[int, ...]]:
    """Also what is added meanwhile. What was given out is no longer waiting."""
    found = waiting.setdefault(bound, [])
    while found:
        yield found.pop(0)
