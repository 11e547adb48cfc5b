"""Connections: what they promise, and which failure means waiting and which a person."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from reconciler.embedded import Server, scratch
from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.pg import Url, connect, connection_failure, notices
from reconciler.pg.connect import _check_version

PASSWORD = "tr0ub4dor-and-more"
Database = Callable[..., Url]


@pytest.fixture
def guest(server: Server) -> Iterator[Url]:
    """A login role without rights."""
    with connect(server.url) as admin:
        admin.execute(f"create role guest login password '{PASSWORD}'")
        yield server.url.with_options(user="guest", password=PASSWORD)
        admin.execute("drop role guest")


def failure(url: Url, kind: type[ReconcilerError]) -> str:
    with pytest.raises(kind) as failed:
        connect(url, connect_timeout=2)
    text = str(failed.value)
    assert type(failed.value) is kind
    assert failed.value.hint
    assert url.redacted in text
    assert PASSWORD not in text
    assert PASSWORD not in repr(failed.value)
    assert failed.value.__suppress_context__
    return text


@pytest.mark.majors
def test_the_session_is_as_promised(server: Server, database: Database) -> None:
    with connect(database()) as session:
        row = session.execute(
            "select pg_catalog.current_setting('application_name'),"
            " pg_catalog.current_setting('client_encoding')"
        ).fetchone()
        assert row == ("reconciler", "UTF8")
        assert session.autocommit
        assert session.prepare_threshold is None
    with connect(server.url, autocommit=False, application_name="x") as session:
        assert session.execute("show application_name").fetchone() == ("x",)
        assert not session.autocommit


@pytest.mark.majors
def test_logins_that_cannot_succeed_need_a_person(server: Server, guest: Url) -> None:
    assert "user name or the password" in failure(guest.with_options(password="wrong-" + PASSWORD), Stalled)
    assert "user name or the password" in failure(guest.with_options(user="nobody_here"), Stalled)
    assert "database does not exist" in failure(guest.with_database("missing"), Stalled)
    without = Url.of(dict(guest.options))
    assert "wants a password" in failure(without, Stalled)
    assert "encryption" in failure(guest.with_options(sslmode="require"), Stalled)


def test_roles_and_databases_that_admit_nobody_need_a_person(
    server: Server, guest: Url, database: Database
) -> None:
    url = database()
    with connect(server.url) as admin:
        admin.execute(f"alter database {url.database} allow_connections false")
        assert "admits no connection" in failure(guest.with_database(url.database), Stalled)
        admin.execute(f"alter database {url.database} allow_connections true")
        admin.execute(f"revoke connect on database {url.database} from public")
        assert "admits no connection" in failure(guest.with_database(url.database), Stalled)
        admin.execute("alter role guest nologin")
        assert "may not log in" in failure(guest, Stalled)


def test_pg_hba_can_refuse(guest: Url) -> None:
    with scratch() as own, connect(own.url) as admin:
        hba = own.directory / "data" / "pg_hba.conf"
        kept = hba.read_text()
        for line in ("host all guest 127.0.0.1/32 reject\n", ""):
            hba.write_text(line + (kept if line else "host all reconciler_root 127.0.0.1/32 scram-sha-256\n"))
            admin.execute("select pg_catalog.pg_reload_conf()")
            admin.execute("select pg_catalog.pg_sleep(0.2)")
            assert "pg_hba.conf does not admit" in failure(own.url.with_options(user="guest"), Stalled)


def test_a_full_server_passes_by_itself() -> None:
    small = {"max_connections": "4", "superuser_reserved_connections": "0"}
    with scratch(settings=small) as own, ExitStack() as sessions:
        for _ in range(4):
            sessions.enter_context(psycopg.connect(own.url.reveal()))
        assert "no free connection" in failure(own.url, Waiting)


def test_a_role_that_is_full_passes_by_itself(server: Server, guest: Url) -> None:
    with connect(server.url) as admin:
        admin.execute("alter role guest connection limit 0")
        assert "no free connection" in failure(guest, Waiting)


def test_an_unreachable_server_passes_by_itself() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = Url.parse(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/d")
    assert "cannot be reached" in failure(url, Waiting)
    assert "cannot be reached" in failure(url.with_options(host="/nowhere"), Waiting)
    assert "cannot be resolved" in failure(url.with_options(host="nowhere.invalid"), Waiting)


@contextmanager
def impostor(answer: bytes | None) -> Iterator[int]:
    """Something that listens but is no PostgreSQL server: it answers once with `answer`, or never."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        kept = []

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                kept.append(peer)
                if answer is not None:
                    peer.recv(1024)
                    peer.sendall(answer)
                    peer.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for peer in kept:
                peer.close()


def test_a_server_that_never_answers_passes_by_itself() -> None:
    with impostor(None) as port:
        assert "cannot be reached" in failure(
            Url.parse(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/d"), Waiting
        )


def test_something_that_is_no_database_needs_a_person() -> None:
    with impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "not a PostgreSQL server" in failure(
            Url.parse(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/d"), Stalled
        )


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("FATAL:  the database system is starting up", Waiting),
        ("FATAL:  the database system is shutting down", Waiting),
        ("FATAL:  the database system is in recovery mode", Waiting),
        ("FATAL:  sorry, too many clients already", Waiting),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", Waiting),
        ("FATAL:  terminating connection due to administrator command", Waiting),
        ("FATAL:  Tenant or user not found", Stalled),
        ("FATAL:  no such database: x", Stalled),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption', Stalled),
        ('FATAL:  role "x" does not exist', Stalled),
        ('root certificate file "/x" does not exist', Stalled),
        ("SSL error: certificate verify failed", Stalled),
        ("FATAL:  Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen", Waiting),
        ("", Waiting),
    ],
)
def test_messages_of_servers_and_poolers(message: str, kind: type[ReconcilerError]) -> None:
    url = Url.parse(f"postgresql://u:{PASSWORD}@h/d")
    told = connection_failure(
        url, f'connection failed: connection to server at "1.2.3.4", port 5432 failed: {message}'
    )
    assert type(told) is kind
    assert message[-20:] in str(told)


def test_a_reason_to_act_at_one_host_beats_a_reason_to_wait_at_another() -> None:
    message = (
        "Multiple connection attempts failed. All failures were:\n"
        "- host: 'a', port: '1', hostaddr: '1.1.1.1': connection failed: FATAL:  password authentication failed\n"
        "- host: 'b', port: '1', hostaddr: '1.1.1.2': connection failed: Connection refused"
    )
    assert type(connection_failure(Url.parse("postgresql://u@a:1,b:1/d"), message)) is Stalled


def test_a_password_in_somebody_elses_message_is_masked() -> None:
    url = Url.parse(f"postgresql://u:{PASSWORD}@h/d")
    assert PASSWORD not in str(connection_failure(url, f"odd: {PASSWORD} failed"))


def test_passwords_from_the_environment_and_from_pgpass(
    guest: Url, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without = Url.of(dict(guest.options))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    connect(without).close()
    monkeypatch.delenv("PGPASSWORD")
    pgpass = tmp_path / "pgpass"
    pgpass.write_text(f"127.0.0.1:{guest.port}:*:guest:{PASSWORD}\n")
    pgpass.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(pgpass))
    connect(without).close()
    pgpass.write_text(f"127.0.0.1:{guest.port}:*:guest:wrong\n")
    failure(without, Stalled)


@pytest.mark.parametrize(
    ("number", "says"), [(130022, "13, older"), (80002, "8, older"), (190000, "19, newer")]
)
def test_versions_outside_the_range_need_a_person(number: int, says: str) -> None:
    class Info:
        server_version = number

    class Session:
        info = Info()

    with pytest.raises(Stalled, match=f"PostgreSQL {says} than the supported 14 to 18"):
        _check_version(Url.parse("postgresql://u@h/d"), Session())  # type: ignore[arg-type]


def test_what_the_url_says_beats_our_defaults(server: Server) -> None:
    with connect(server.url.with_options(application_name="theirs")) as session:
        assert session.execute("show application_name").fetchone() == ("theirs",)


def test_notices_are_collected_and_printed_nowhere(
    connection: psycopg.Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    loud = "do $$ begin raise notice 'one' using hint = 'h'; raise warning 'two'; end $$"
    with notices(connection) as said:
        connection.execute(loud)
    connection.execute(loud)
    assert [(n.severity, n.message, n.hint) for n in said] == [("NOTICE", "one", "h"), ("WARNING", "two", "")]
    assert str(said[1]) == "WARNING: two"
    assert capfd.readouterr() == ("", "")


def test_warnings_of_the_login_itself_are_printed_nowhere(
    database: Database, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    if server.major < 15:
        pytest.skip("14 has no collation version per database to complain about")
    url = database()
    with connect(server.url) as admin:
        admin.execute(
            "update pg_catalog.pg_database set datcollversion = 'old' where datname = %s", (url.database,)
        )
    with connect(url) as session:
        assert session.execute("select 1").fetchone() == (1,)
    assert capfd.readouterr() == ("", "")
