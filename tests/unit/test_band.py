"""From times at three scales to a band: what grows with the rows, what does not, and what grows faster."""

from __future__ import annotations

import pytest

from reconciler.migrate.weights import band_words
from reconciler.model import Band, LockTaken, Measured, together
from reconciler.shadow.band import Point, band
from reconciler.shadow.work import work_of

ROWS = (3_000, 12_000, 50_000)


def at(*seconds: float) -> list[Point]:
    return [Point(rows, (one,)) for rows, one in zip(ROWS, seconds, strict=True)]


def test_what_grows_with_the_rows_is_expected_around_the_line() -> None:
    found = band(at(0.03, 0.12, 0.5), 500_000)
    assert found is not None
    assert found.low < 5 < found.high
    assert found.high / found.low <= 3


def test_the_further_away_the_wider() -> None:
    ratios = []
    for live in (50_000, 500_000, 5_000_000, 50_000_000):
        found = band(at(0.03, 0.12, 0.5), live)
        assert found is not None
        assert found.low < 0.5 * live / 50_000 < found.high
        ratios.append(found.high / found.low)
    assert ratios == sorted(set(ratios))


def test_what_does_not_grow_is_over_at_once_however_many_rows() -> None:
    found = band(at(0.002, 0.001, 0.003), 1_000_000_000, grows=False)
    assert found == Band(0.0, 0.05)


def test_a_statement_that_was_slow_once_is_not_called_fast() -> None:
    found = band(at(0.2, 0.001, 0.003), 1_000_000_000, grows=False)
    assert found is not None
    assert found.high >= 0.5


def test_what_is_known_to_read_everything_grows_even_when_it_hardly_shows() -> None:
    found = band(at(0.001, 0.001, 0.002), 50_000_000)
    assert found is not None
    assert found.low > 0.1


def test_a_fixed_cost_is_paid_once() -> None:
    found = band(at(1.03, 1.12, 1.5), 500_000)
    assert found is not None
    assert found.low < 6 < found.high


def test_what_grows_with_the_square_goes_on_like_that() -> None:
    found = band(at(0.009, 0.144, 2.5), 500_000)
    assert found is not None
    assert found.low < 250 < found.high
    assert found.high / found.low <= 3


def test_a_foreign_key_may_take_three_times_as_long() -> None:
    found = band(at(0.03, 0.12, 0.5), 500_000, work="looks up")
    assert found is not None
    assert found.low < 5
    assert found.high > 14
    assert found.high / found.low <= 6.001


@pytest.mark.parametrize("rounds", [(0.5, 0.5, 40.0), (0.5, 0.02, 0.5)])
def test_one_round_out_of_three_does_not_decide(rounds: tuple[float, ...]) -> None:
    calm = band(at(0.03, 0.12, 0.5), 500_000)
    noisy = band([*at(0.03, 0.12, 0.5)[:2], Point(ROWS[2], rounds)], 500_000)
    assert noisy == calm


def test_nothing_timed_is_no_band() -> None:
    assert band([], 1_000) is None


def test_a_total_needs_every_statement() -> None:
    one, other = Measured(on_live=Band(1, 2)), Measured(on_live=Band(0, 0.05))
    assert together([one, other]) == Band(1, 2.05)
    assert together([one, Measured()]) is None
    assert together([]) is None


@pytest.mark.parametrize(
    ("sql", "seen", "work"),
    [
        ("alter table t validate constraint c", Measured(scans=("public.t",)), "reads"),
        ("alter table t validate constraint c", Measured((LockTaken("public.p", "RowShareLock"),)), "looks up"),
        ("alter table t add foreign key (p) references p", Measured(), "looks up"),
        ("alter table t alter c set not null", Measured(scans=("public.t",)), "reads"),
        ("alter table t add unique (c)", Measured(scans=("public.t",)), "builds"),
        ("alter table t alter c type bigint", Measured((), ("public.t",), ("public.t",)), "builds"),
        ("create index on t (c)", Measured(scans=("public.t",)), "builds"),
        ("-- at once\ndo $$ begin update t set c = 1; end $$", Measured(), "changes"),
        ("-- in batches\ndo $$ begin loop update t set c = 1; commit; end loop; end $$", Measured(), "looks up"),
        (
            "do $$ begin lock table t in share update exclusive mode; alter table t validate constraint c; end $$",
            Measured(scans=("public.t",)),
            "reads",
        ),
        ("update t set c = 1", Measured(scans=("public.t",)), "changes"),
    ],
)  # fmt: skip
def test_the_work_of_a_statement(sql: str, seen: Measured, work: str) -> None:
    assert work_of(sql, seen) == work


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0, 0.05, "under 0.1 s"),
        (1.24, 3.46, "1.2 to 3.5 s"),
        (24.2, 71.0, "24 to 71 s"),
        (240.0, 660.0, "4.0 to 11.0 min"),
        (4000.0, 12000.0, "1.1 to 3.3 h"),
    ],
)
def test_a_band_is_said_in_a_unit_that_a_person_uses(low: float, high: float, said: str) -> None:
    assert band_words(Band(low, high)) == said
