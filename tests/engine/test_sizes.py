"""The sizes of a target's tables: never analysed, grown since, locked."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.catalog.scope import EVERYTHING
from reconciler.engine.sizes import sizes
from reconciler.model import ObjectId
from reconciler.pg import Url, connect

T = ObjectId("table", "public", "t")


def test_a_table_is_known_to_be_large_before_and_after_analyse(database: Callable[..., Url]) -> None:
    with connect(database()) as session:
        session.execute("create table public.t (id int, note text) with (autovacuum_enabled = off)")
        assert sizes(session, EVERYTHING)[T].rows == 0
        session.execute("insert into public.t select n, repeat('x', 20) from generate_series(1, 20000) as n")
        assert 10_000 < sizes(session, EVERYTHING)[T].rows < 40_000
        session.execute("analyze public.t")
        assert sizes(session, EVERYTHING)[T].rows == 20_000
        session.execute("insert into public.t select n, repeat('x', 20) from generate_series(1, 20000) as n")
        found = sizes(session, EVERYTHING)[T]
        assert 39_000 < found.rows < 41_000
        assert found.bytes > 40_000 * 40


def test_what_is_locked_is_as_large_as_it_was(database: Callable[..., Url]) -> None:
    target = database()
    with connect(target) as session, connect(target) as other:
        session.execute("create table public.t as select n from generate_series(1, 1000) as n")
        session.execute("analyze public.t")
        with other.transaction():
            other.execute("lock table public.t in access exclusive mode")
            assert sizes(session, EVERYTHING)[T].rows == 1000
