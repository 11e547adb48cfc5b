"""What is asked for over HTTP, on a real database: the same as the commands do, in the name of who asks."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from reconciler import migrate
from reconciler.engine.cycle import run_once
from reconciler.engine.requested import Requests
from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.pg import Secret, Url, connect, ident, literal
from reconciler.settings import Listen
from reconciler.web import Actions, Published, serving

from .conftest import Project

Make = Callable[..., Project]
LIVE = "create table t (id int primary key, a text)"
LESS = "create table t (id int primary key);"
WHO = "http 192.0.2.7"
TOKEN = secrets.token_urlsafe(24)


def requests(p: Project, **extra: Any) -> tuple[Requests, list[str]]:
    woken: list[str] = []
    database = p.database.model_copy(update=extra)
    made = Requests(lambda: (database,), woken.append)
    _: Actions = made
    return made, woken


@pytest.fixture
def dropping(project: Make) -> tuple[Project, str, str]:
    """A project in mode `apply` whose one pending file waits for consent; its version and its checksum."""
    p = project(LESS, live=LIVE, mode="apply")
    run_once(p.database)
    (file,) = migrate.load_directory(p.database.migrations)
    return p, file.version, file.checksum


@pytest.fixture
def guest(project: Make) -> Iterator[Callable[[Project], Url]]:
    """A role that may read everything and write nothing."""
    made: list[tuple[Url, str]] = []

    def make(p: Project) -> Url:
        name, password = f"guest_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
        p.sql(
            f"create role {ident(name)} login password {literal(password)}; grant pg_read_all_data to {ident(name)}"
        )
        made.append((p.url, name))
        return p.url.with_options(user=name, password=Secret(password))

    yield make
    for url, name in made:
        with connect(url) as admin:
            admin.execute(f"drop owned by {ident(name)}; drop role {ident(name)}".encode())


def test_a_pause_and_its_end_in_the_name_of_who_asks(project: Make) -> None:
    p = project(LESS, live=LESS)
    asked, woken = requests(p)
    found = asked.suspend("test", "  a\nb\x00\ud800 c ", WHO) or {}
    assert found["suspension"]["who"].endswith(f"({WHO})")
    assert found["suspension"]["reason"] == "a b c"
    again = asked.suspend("test", "", "http 192.0.2.8") or {}
    assert again == found
    assert asked.reconcile("test") == {"asked": True}  # a pause does not refuse a look
    assert (asked.resume("test", WHO) or {})["was"] == found["suspension"]
    assert asked.resume("test", WHO) == {"suspension": None, "was": None}
    assert woken == ["test"] * 5
    assert p.sql("select suspended, client from reconciler.suspension order by id") == [
        (True, WHO),
        (False, WHO),
    ]


def test_what_does_not_exist_is_told_apart(dropping: tuple[Project, str, str]) -> None:
    p, version, _ = dropping
    asked, woken = requests(p)
    assert asked.reconcile("other") is None
    assert asked.suspend("other", "", WHO) is None
    assert asked.resume("other", WHO) is None
    assert asked.approve("other", version, WHO) is None
    for wrong in ("20200101000000", version[:8], version + "0", "", "%"):
        assert asked.approve("test", wrong, WHO) is None
    assert woken == []


def test_an_approval_lets_the_next_pass_go_on(dropping: tuple[Project, str, str]) -> None:
    p, version, checksum = dropping
    asked, woken = requests(p)
    with pytest.raises(Stalled, match="not 00ff") as refused:
        asked.approve("test", version, WHO, checksum="00ff")
    assert "look at it again" in refused.value.hint
    assert p.sql("select to_regclass('reconciler.approvals')") == [(None,)]
    given = asked.approve("test", version, WHO, checksum=checksum) or {}
    assert [one["code"] for one in given["hazards"]] == ["DELETES_DATA"]
    assert given["approval"]["checksum"] == checksum and given["approval"]["who"].endswith(f"({WHO})")
    json.dumps(given)
    assert woken == ["test"]
    assert run_once(p.database).facts["applied"] == [version]
    (row,) = (row for row in migrate_history(p) if row.version == version)
    assert [(one.code, one.how) for one in row.consents] == [("DELETES_DATA", "approve")]
    assert WHO in row.consents[0].who
    assert asked.approve("test", version, WHO) is None  # it is no longer pending


def migrate_history(p: Project) -> tuple[Any, ...]:
    with connect(p.url) as live:
        return migrate.read(live)


def test_what_needs_no_consent_has_no_approval(project: Make) -> None:
    p = project("create table t (id int primary key, a text, b text);", live=LIVE, mode="propose")
    run_once(p.database)
    (file,) = migrate.load_directory(p.database.migrations)
    given = requests(p)[0].approve("test", file.version, WHO) or {}
    assert given == {"version": file.version, "hazards": [], "approval": None}


def test_an_approval_gives_the_declarations_no_more_trust(project: Make) -> None:
    """A person who types `approve` has read them; who posts has not."""
    p = project(LESS, live=LIVE, mode="apply", shadow="auto")
    run_once(p.database)
    (version,) = (file.version for file in migrate.load_directory(p.database.migrations))
    p.declare("create function f() returns int leakproof language sql as 'select 1';", "f.sql")
    with pytest.raises(ReconcilerError, match=r"(?i)leakproof|superuser"):
        requests(p)[0].approve("test", version, WHO)
    assert (requests(p, trust="reviewed")[0].approve("test", version, WHO) or {})["approval"]


def test_who_may_not_write_is_told_and_nothing_is_woken(
    dropping: tuple[Project, str, str], guest: Callable[[Project], Url]
) -> None:
    p, version, _ = dropping
    with connect(p.url) as live:
        migrate.ensure(live)
    asked, woken = requests(p, url=guest(p))
    for work in (
        lambda: asked.suspend("test", "x", WHO),
        lambda: asked.approve("test", version, WHO),
    ):
        with pytest.raises(Stalled) as refused:
            work()
        assert "grant " in refused.value.hint
    assert woken == []


def test_a_standby_takes_no_pause_now(project: Make) -> None:
    p = project(LESS, live=LESS)
    read_only = p.url.with_options(options="-c default_transaction_read_only=on")
    with pytest.raises(Waiting, match="read-only") as refused:
        requests(p, url=read_only)[0].suspend("test", "", WHO)
    assert "primary" in refused.value.hint
    gone = p.url.with_options(host="127.0.0.1", port="1")
    with pytest.raises(Waiting):
        requests(p, url=gone)[0].resume("test", WHO)


def test_over_http(dropping: tuple[Project, str, str], guest: Callable[[Project], Url]) -> None:
    p, version, checksum = dropping
    asked, woken = requests(p)
    board = Published((run_once(p.database),))
    with serving(Listen("127.0.0.1", 0), lambda: board, actions=asked, token=lambda: Secret(TOKEN)) as server:

        def post(what: str, body: str = "", name: str = "test") -> tuple[int, Any]:
            connection = HTTPConnection("127.0.0.1", server.listen.port, timeout=60)
            headers = {
                "Authorization": f"Bearer {TOKEN}",
                **({"Content-Type": "application/json"} if body else {}),
            }
            connection.request("POST", f"/api/v1/databases/{name}/{what}", body, headers)
            response = connection.getresponse()
            text = response.read().decode()
            connection.close()
            return response.status, json.loads(text)

        assert post("reconcile") == (202, {"format": 1, "database": "test", "asked": True})
        assert post("reconcile", name="nobody")[0] == 404
        code, found = post("suspend", '{"reason": "Urlaub"}')
        assert code == 200 and found["suspension"]["reason"] == "Urlaub"
        assert "(http 127.0.0.1)" in found["suspension"]["who"]
        assert post("resume")[1]["was"] == found["suspension"]
        assert post("plans/20200101000000/approve")[0] == 404
        code, found = post(f"plans/{version}/approve", '{"checksum": "1"}')
        assert code == 409 and found["error"] and "look at it again" in found["hint"]
        code, found = post(f"plans/{version}/approve", json.dumps({"checksum": checksum}))
        assert code == 200 and found["approval"]["codes"] == ["DELETES_DATA"]
    assert woken == ["test"] * 4
