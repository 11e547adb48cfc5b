"""Behind a real PgBouncer: in session mode everything works; in transaction mode nothing is changed, and nothing stays in the
sessions that other clients get next.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from majors import require_program
from processes import Ground, until
from test_alerting import free_port

from reconciler import migrate
from reconciler.embedded.account import account
from reconciler.engine import listening
from reconciler.engine.doctor import examine
from reconciler.errors import ReconcilerError, Stalled
from reconciler.migrate.applier import applier
from reconciler.pg import Url, connect, pooling
from reconciler.run import Pace
from reconciler.settings import Database

POOL = 4
"""Sessions of the server that the pooler hands round."""
Through = Callable[[str], Url]


@pytest.fixture
def through(ground: Ground) -> Iterator[Through]:
    """The way to the same database by the mode of the pooler."""
    program = require_program("pgbouncer")
    ground.sql("select 1")
    names = {"host": "host", "port": "port", "dbname": "dbname", "user": "user"}
    to = " ".join(f"{name}={ground.url.get(option)}" for name, option in names.items())
    if ground.url.password is not None:
        to += f" password={ground.url.password.reveal()}"
    modes = ("session", "transaction", "statement")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "pgbouncer.ini")
        lines = [f"{mode} = {to} pool_mode={mode}" for mode in modes]
        rest = [
            "listen_addr = 127.0.0.1", f"listen_port = {port}", "unix_socket_dir =", "auth_type = any",
            "query_wait_timeout = 20", f"default_pool_size = {POOL}",
        ]  # fmt: skip
        config.write_text("\n".join(("[databases]", *lines, "[pgbouncer]", *rest, "")))
        account().give(Path(folder))
        account().give(config)
        with subprocess.Popen(
            [program, "-q", str(config)], stderr=subprocess.DEVNULL, **account().process
        ) as process:

            def url(mode: str) -> Url:
                return Url.parse(f"postgresql://somebody@127.0.0.1:{port}/{mode}")

            def answers() -> bool:
                try:
                    connect(url("session")).close()
                except ReconcilerError:
                    return False
                return True

            try:
                until(answers, "the pooler answers")
                yield url
            finally:
                process.terminate()


def claimed(url: Url) -> bool:
    with connect(url) as session:
        return pooling.claim(session, lambda: connect(url))


def test_a_session_of_ones_own_is_told_from_one_that_is_shared(ground: Ground, through: Through) -> None:
    assert claimed(ground.url)
    assert claimed(through("session"))
    assert not claimed(through("transaction"))
    assert not claimed(through("statement"))


@pytest.mark.parametrize("clients", [1, 2, 3, 6])
def test_it_is_told_in_a_crowd_too(through: Through, clients: int) -> None:
    """Other clients take the sessions of the pool in turn: more of them than there are, or fewer."""
    ends = threading.Event()

    def busy() -> None:
        with connect(through("transaction")) as session:
            while not ends.is_set():
                session.execute("select pg_catalog.pg_sleep(0.002)")

    others = [threading.Thread(target=busy) for _ in range(clients)]
    for one in others:
        one.start()
    try:
        assert [claimed(through("transaction")) for _ in range(20)] == [False] * 20
    finally:
        ends.set()
        for one in others:
            one.join()


def test_a_session_that_became_another_one_is_noticed(through: Through) -> None:
    """However the claim was got: what has lost its session goes no further."""
    with ExitStack() as stack:
        one = stack.enter_context(connect(through("transaction")))
        one.execute("select pg_catalog.set_config('reconciler.client', %s, false)", (pooling._client(one),))
        pooling.require(one)
        other = stack.enter_context(connect(through("transaction")))
        other.execute("begin")  # it gets the session that was the first one's
        with pytest.raises(Stalled, match="transaction mode"):
            pooling.require(one)


def test_nothing_is_applied_in_transaction_mode(ground: Ground, through: Through) -> None:
    for mode in ("transaction", "statement"):
        url = through(mode)
        with (
            pytest.raises(Stalled, match="transaction mode") as refused,
            applier(lambda url=url: connect(url), wait=1, pace=Pace()),  # type: ignore[misc]
        ):
            pass
        assert "session mode" in refused.value.hint
    with applier(lambda: connect(through("session")), wait=1, pace=Pace()) as live:
        assert [who.pid for who in migrate.at_work(live)] == [pooling.backend(live)]


def test_doctor_says_which_it_is(ground: Ground, through: Through) -> None:
    def said(url: Url) -> tuple[str, str]:
        database = Database(name="one", url=url, schema_dir=ground.folder / "schema")
        (found,) = (check for check in examine(database) if check.name == "pooler")
        return found.state, found.sentence

    assert said(ground.url)[0] == "good"
    assert said(through("session")) == (
        "good",
        "a pooler stands in front and keeps the session for this client",
    )
    state, what = said(through("transaction"))
    assert state == "missing"
    assert "transaction mode" in what


def test_the_daemon_leads_listens_and_applies_in_session_mode(ground: Ground, through: Through) -> None:
    listening.install(Database(name="one", url=ground.url))
    direct, ground.urls["one"] = ground.url, through("session")
    ground.configure(mode="apply")
    ground.urls["one"] = direct
    daemon = ground.start()
    until(lambda: daemon.condition() == "True", "what is declared is applied")
    assert ground.sql("select 1 from pg_class where relname = 't'") == [(1,)]
    ground.sql("alter table t add column by_hand integer")
    until(lambda: daemon.condition() == "False", "the change is heard of")
    assert daemon.end() == 0


def test_the_daemon_watches_in_transaction_mode_and_leaves_nothing_behind(
    ground: Ground, through: Through
) -> None:
    ground.sql("create table t (id integer primary key, v text)")
    direct, ground.urls["one"] = ground.url, through("transaction")
    ground.configure(mode="observe", check_interval="1s")
    ground.urls["one"] = direct
    daemon = ground.start()
    until(lambda: daemon.condition() == "True", "in sync")
    ground.sql("alter table t add column by_hand integer")
    until(lambda: daemon.condition() == "False", "drift is seen")
    with ExitStack() as stack:
        end = time.monotonic() + 30
        seen: set[int] = set()
        while len(seen) < POOL and time.monotonic() < end:
            one = stack.enter_context(connect(through("transaction"), application_name="somebody else"))
            one.execute("begin")
            seen.add(pooling.backend(one))
            settings = one.execute(
                "select name, setting from pg_catalog.pg_settings where name in ('lock_timeout', 'statement_timeout',"
                " 'idle_session_timeout', 'search_path', 'work_mem') order by 1"
            ).fetchall()
            fresh = ground.sql(
                "select name, setting from pg_catalog.pg_settings where name in ('lock_timeout', 'statement_timeout',"
                " 'idle_session_timeout', 'search_path', 'work_mem') order by 1"
            )
            assert settings == fresh
    assert len(seen) == POOL
    assert daemon.end() == 0


def test_what_should_change_a_database_stands_still_in_transaction_mode(
    ground: Ground, through: Through
) -> None:
    direct, ground.urls["one"] = ground.url, through("transaction")
    ground.configure(mode="apply", check_interval="1s")
    ground.urls["one"] = direct
    daemon = ground.start()
    until(lambda: "session mode" in daemon.get("api/v1/databases/one"), "the remedy is said")
    assert ground.sql("select 1 from pg_class where relname = 't'") == []
    assert daemon.metrics().get('reconciler_leader{database="one"}', 0) == 0
    assert daemon.end() == 0
