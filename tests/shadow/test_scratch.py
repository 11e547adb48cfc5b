"""Scratch databases on somebody's server go away, whatever was loaded into them."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.embedded import Server
from reconciler.pg import Url, connect
from reconciler.shadow.scratch import shadow


def test_a_scratch_database_with_a_subscription_goes_away(
    server: Server, database: Callable[..., Url]
) -> None:
    with shadow(database()) as place:
        scratch = place.create()
        other = place.create()
        for each in (scratch, other):
            with connect(each) as session:
                session.execute(
                    f"create subscription {each.database} connection 'host=nowhere.invalid dbname=x' publication p with (connect = false)"
                )
        place.drop(other)
    with connect(database()) as session:
        names = (scratch.database, other.database)
        left = session.execute(
            "select from pg_catalog.pg_database where datname = any(%s)", (list(names),)
        ).fetchall()
        assert left == []
        assert (
            session.execute(
                "select from pg_catalog.pg_subscription where subname = any(%s)", (list(names),)
            ).fetchall()
            == []
        )
