"""A look does not wait for ever behind whoever holds a table for himself, and says who that is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.catalog import snapshot
from reconciler.errors import Waiting
from reconciler.pg import Url, connect
from reconciler.run import reading

Database = Callable[..., Url]


def test_who_is_in_the_way_is_named(database: Database) -> None:
    url = database()
    with connect(url) as owner:
        owner.execute("create table public.t (a int check (a > 0)); create index on public.t ((a + 1))")
    with connect(url, application_name="night shift", autocommit=False) as other:
        pid = other.info.backend_pid
        other.execute("lock table public.t in access exclusive mode")
        with (
            pytest.raises(
                Waiting, match=r"within 0.5 s: .*public.* is held by pid \d+.*night shift"
            ) as refused,
            reading(url, patience=0.5) as session,
        ):
            snapshot.read(session)
    assert f"pg_terminate_backend({pid})" in refused.value.hint
    with reading(url, patience=0.5) as session:
        assert snapshot.read(session).facts
