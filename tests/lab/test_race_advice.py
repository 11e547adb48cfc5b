"""Each finding names the fix that fits; where that is mechanical, a change whose rerun shows the race gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from test_races import FAULTS, prepared, race

from reconciler.lab.advice import advised
from reconciler.lab.explore import USUAL
from reconciler.lab.race import explored
from reconciler.pg import Url, connect

WANTED = {
    "no unique index": ("unique + on conflict", "advisory lock"),
    "select, then insert": ("unique + on conflict", "advisory lock"),
    "a lost update": ("atomic update", "FOR UPDATE"),
    "locks in another order": ("ordered locking", "in one order, by id"),
    "FOR UPDATE is missing": ("select for update", "FOR UPDATE"),
}


QUICK = ("a lost update", "locks in another order")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.races) for name in WANTED]
)
def test_the_fix_fits_and_a_rerun_shows_it(database: Callable[..., Url], name: str) -> None:
    fault = FAULTS[name]
    broken = prepared(database, fault.broken)

    @contextmanager
    def fresh() -> Iterator[Url]:
        yield database(template=broken)

    wanted = race(fault.actors)
    worst = explored(database(template=broken), wanted, enough=lambda one: one.kind == fault.kind).worst
    found = advised(fresh, wanted, worst, USUAL)
    fix, says = WANTED[name]
    assert found.fix == fix, found
    assert says in found.says and "as one after another" in found.shown, found
    mended = database(template=broken)
    with connect(mended) as session:
        session.execute(found.script.encode())
    assert explored(mended, wanted).worst.kind in ("serial", "retry")
