"""The anomalies that isolation levels are told apart by, each at each level: what may happen is found, what may not is not.

The table is Martin Kleppmann's for PostgreSQL (Hermitage: Testing the "I" in ACID, 2014); what each anomaly is, is Adya's (Weak Consistency,
1999). The transactions are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from reconciler.lab.explore import Limits, schedules
from reconciler.lab.race import track
from reconciler.lab.values import LEVELS, Actor, Isolation, Race, Ran
from reconciler.pg import Url, connect

Seen = Callable[[Ran], bool]
"""Whether this schedule shows the anomaly."""

BASE = "create table public.item (id integer primary key, value integer not null); insert into public.item values (1, 10), (2, 20)"
MIXED = "select from public.item as a, public.item as b where (a.id, b.id) = (1, 2) and (a.value, b.value) in ((11, 22), (12, 21))"
THIRDS = "select id from public.item where value % 3 = 0"


def put(id: int, value: int) -> str:
    return f"update public.item set value = {value} where id = {id}"


def get(id: int) -> str:
    return f"select value from public.item where id = {id}"


ALL = "select id, value from public.item order by id"


def read(ran: Ran, actor: int, *which: int) -> list[str | None]:
    """The single values that these statements of a transaction gave; None for no row."""
    answers = ran.ended[actor].answers
    return [(answers[n].rows[0][0] if answers[n].rows else None) if n < len(answers) else "?" for n in which]


def both(ran: Ran) -> bool:
    return all(end.committed for end in ran.ended)


def told(ran: Ran, actor: int, value: str) -> bool:
    return any(value in row for answer in ran.ended[actor].answers for row in answer.rows)


def vanishes(ran: Ran) -> bool:
    """The third sees what one of the others wrote, and afterwards what stood there before it."""
    first = [n for n in ran.choices if n < 2]
    order = sorted((0, 1), key=lambda n: len(first) - 1 - first[::-1].index(n))
    versions = {"10": 0, "20": 0}
    for age, actor in enumerate(order, start=1):
        versions |= {("11", "12")[actor]: age, ("19", "18")[actor]: age}
    seen = [versions[value] for value in read(ran, 2, 0, 1, 2, 3) if value in versions]
    return any(later < earlier for earlier, later in pairwise(seen))


CASES: dict[str, tuple[tuple[Actor, ...], Seen, Sequence[Isolation]]] = {
    "G0: writes of two transactions are mixed": (
        (Actor("one", (put(1, 11), put(2, 21))), Actor("other", (put(1, 12), put(2, 22), MIXED))),
        lambda ran: False,  # the invariant tells
        (),
    ),
    "G1a: what was rolled back was read": (
        (Actor("writes", (put(1, 101),), aborts=True), Actor("reads", (ALL, ALL))),
        lambda ran: told(ran, 1, "101"),
        (),
    ),
    "G1b: what was not the last was read": (
        (Actor("writes", (put(1, 101), put(1, 11))), Actor("reads", (ALL, ALL))),
        lambda ran: told(ran, 1, "101"),
        (),
    ),
    "G1c: each read what the other wrote": (
        (Actor("one", (put(1, 11), get(2))), Actor("other", (put(2, 22), get(1)))),
        lambda ran: both(ran) and read(ran, 0, 1) == ["22"] and read(ran, 1, 1) == ["11"],
        (),
    ),
    "OTV: a transaction that was seen vanishes": (
        (
            Actor("one", (put(1, 11), put(2, 19))),
            Actor("other", (put(1, 12), put(2, 18))),
            Actor("reads", (get(1), get(2), get(2), get(1))),
        ),
        vanishes,
        (),
    ),
    "PMP: a row appears under a condition": (
        (
            Actor("reads", ("select id from public.item where value = 30", THIRDS)),
            Actor("adds", ("insert into public.item values (3, 30)",)),
        ),
        lambda ran: both(ran) and read(ran, 0, 0, 1) == [None, "3"],
        ("read committed",),
    ),
    "P4: an update is lost": (
        (Actor("one", (get(1), put(1, 11))), Actor("other", (get(1), put(1, 12)))),
        lambda ran: both(ran) and read(ran, 0, 0) == read(ran, 1, 0) == ["10"],
        ("read committed",),
    ),
    "G-single: one value from before, the other from after": (
        (Actor("reads", (get(1), get(2))), Actor("writes", (put(1, 12), put(2, 18)))),
        lambda ran: both(ran) and read(ran, 0, 0, 1) == ["10", "18"],
        ("read committed",),
    ),
    "G2-item: each changes what the other has read": (
        (Actor("one", (ALL, put(1, 11))), Actor("other", (ALL, put(2, 21)))),
        lambda ran: both(ran) and not told(ran, 0, "21") and not told(ran, 1, "11"),
        ("read committed", "repeatable read"),
    ),
    "G2: each adds what the other has looked for": (
        (
            Actor("one", (THIRDS, "insert into public.item values (3, 30)")),
            Actor("other", (THIRDS, "insert into public.item values (4, 42)")),
        ),
        lambda ran: both(ran) and read(ran, 0, 0) == read(ran, 1, 0) == [None],
        ("read committed", "repeatable read"),
    ),
}


@pytest.mark.parametrize("level", LEVELS)
def test_what_may_happen_at_a_level_is_found_and_nothing_else(
    database: Callable[..., Url], level: Isolation
) -> None:
    found, wanted = {}, {}
    for name, (actors, seen, levels) in CASES.items():
        url = database()
        with connect(url) as session:
            session.execute(BASE)
        invariants = {"not mixed": MIXED} if name.startswith("G0") else {}
        race = Race(name, actors, level, invariants)
        with track(url, race) as on:
            found[name] = False
            for ran in schedules(on.play, Limits(schedules=300, preemptions=3)):
                judged = on.judge(ran)
                shown = seen(ran) or judged.kind == "invariant"
                # What the oracle without any condition calls serial can show none of these.
                assert not (shown and judged.kind == "serial"), (name, ran.name)
                found[name] |= shown
        wanted[name] = level in levels
    assert found == wanted
