"""Objects that hold secrets: never read, never written but as placeholders, and what that leaves uncompared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from reconciler.catalog import snapshot
from reconciler.catalog.compare import compare, residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import HazardCode, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.plan.complete import complete
from reconciler.run.placeholders import from_environment, placeholders, withheld

FAR = """
create foreign data wrapper w;
create server s foreign data wrapper w options (host 'h', password 'hidden', api_key 'hidden');
create user mapping for public server s options ("user" 'u', password 'hidden');
"""


@pytest.fixture
def subscribed(database: Callable[..., Url]) -> Iterator[Callable[[], psycopg.Connection]]:
    """Makes sessions in databases of their own whose subscriptions are dropped before the databases are."""
    sessions: list[psycopg.Connection] = []

    def session() -> psycopg.Connection:
        sessions.append(connect(database()))
        return sessions[-1]

    yield session
    for one in sessions:
        for (name,) in one.execute(
            "select subname from pg_catalog.pg_subscription where subdbid ="
            " (select oid from pg_catalog.pg_database where datname = current_database())"
        ).fetchall():
            one.execute(f"alter subscription {name} disable")
            one.execute(f"alter subscription {name} set (slot_name = none)")
            one.execute(f"drop subscription {name}")
        one.close()


def plan(session: psycopg.Connection, before: Snapshot, after: Snapshot) -> tuple[Statement, ...]:
    return complete(Context(before, after, session.info.user))


def run(session: psycopg.Connection, statements: tuple[Statement, ...]) -> None:
    with session.transaction():
        for statement in statements:
            session.execute(withheld(statement.sql))


def test_a_new_mapping_asks_the_environment(database: Callable[..., Url]) -> None:
    with connect(database()) as live, connect(database()) as wanted:
        wanted.execute(FAR)
        before, after = snapshot.read(live), snapshot.read(wanted)
        statements = plan(live, before, after)
        assert "hidden" not in repr(statements)
        names = {name for s in statements for name in placeholders(s.sql)}
        assert names == {"SERVER_S_PASSWORD", "SERVER_S_API_KEY", "USER_MAPPING_S_PUBLIC_PASSWORD"}
        fill = from_environment(dict.fromkeys(names, "from the environment"))
        for statement in statements:
            live.execute(fill(statement.sql))
        options = live.execute("select umoptions from pg_catalog.pg_user_mappings").fetchone()
        assert options == (["password=from the environment", "user=u"],)
        assert compare(snapshot.read(live), after) == ()


def test_another_secret_is_no_difference_but_a_missing_one_is(connection: psycopg.Connection) -> None:
    connection.execute(FAR)
    before = snapshot.read(connection)
    connection.execute("alter server s options (set password 'another')")
    assert compare(before, snapshot.read(connection)) == ()
    connection.execute("alter server s options (drop password)")
    after = snapshot.read(connection)
    assert [change.attributes for change in compare(before, after)] == [("options",)]
    back = plan(connection, after, before)
    assert [placeholders(s.sql) for s in back] == [("SERVER_S_PASSWORD",)]
    for _ in range(2):
        run(connection, back)
        assert residue(snapshot.read(connection), before) == ()


def test_a_password_inside_an_url_is_a_secret_too(connection: psycopg.Connection) -> None:
    connection.execute(
        "create foreign data wrapper w options (place 'https://u:hidden@h/x', other 'https://h/x')"
    )
    (fact,) = (f for f in snapshot.read(connection).facts.values() if f.id.kind == "foreign_data_wrapper")
    assert fact["options"] == {"place": "${FOREIGN_DATA_WRAPPER_W_PLACE}", "other": "https://h/x"}


SUBSCRIPTION = "create subscription fed connection 'host=h password=hidden' publication a, \"B\" with (connect = false{})"


def test_a_subscription_is_made_disabled_and_without_its_connection(
    subscribed: Callable[[], psycopg.Connection],
) -> None:
    live, wanted = subscribed(), subscribed()
    wanted.execute(SUBSCRIPTION.format(", slot_name = 'slot', binary = true, synchronous_commit = 'local'"))
    wanted.execute("comment on subscription fed is 'from elsewhere'")
    before, after = snapshot.read(live), snapshot.read(wanted)
    assert "hidden" not in repr(after)
    # A name of a subscription is unique in its database only: the other one keeps its own.
    up, down = plan(live, before, after), plan(live, after, before)
    assert next(placeholders(s.sql) for s in up) == ("SUBSCRIPTION_FED_CONNECTION",)
    for statements, goal in ((up, after), (up, after), (down, before), (down, before), (up, after)):
        run(live, statements)
        assert residue(snapshot.read(live), goal) == ()
    row = live.execute(
        "select subenabled, subconninfo, subslotname from pg_catalog.pg_subscription where subdbid ="
        " (select oid from pg_catalog.pg_database where datname = current_database())"
    ).fetchone()
    assert row == (False, "application_name=withheld", "slot")
    assert HazardCode.IRREVERSIBLE in {h.code for s in down for h in s.hazards}


@pytest.mark.majors
def test_a_subscription_changes_in_place(
    server: Server, subscribed: Callable[[], psycopg.Connection]
) -> None:
    live = subscribed()
    live.execute(SUBSCRIPTION.format(", slot_name = none"))
    before = snapshot.read(live)
    live.execute("alter subscription fed set publication a, c with (refresh = false)")
    live.execute("alter subscription fed set (binary = true, streaming = on, synchronous_commit = 'local')")
    if server.major >= 15:
        live.execute("alter subscription fed set (disable_on_error = true)")
    if server.major >= 16:
        live.execute("alter subscription fed set (origin = none, run_as_owner = true)")
    after = snapshot.read(live)
    assert {change.verb for change in compare(before, after)} == {"alter"}
    up, down = plan(live, before, after), plan(live, after, before)
    for statements, goal in ((down, before), (down, before), (up, after), (up, after)):
        run(live, statements)
        assert residue(snapshot.read(live), goal) == ()


def test_whether_it_runs_is_not_compared(subscribed: Callable[[], psycopg.Connection]) -> None:
    live = subscribed()
    live.execute(SUBSCRIPTION.format(", slot_name = 'slot'"))
    before = snapshot.read(live)
    live.execute("alter subscription fed enable")
    after = snapshot.read(live)
    live.execute("alter subscription fed disable")
    assert compare(before, after) == ()
