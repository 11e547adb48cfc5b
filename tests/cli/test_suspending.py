"""`suspend` and `resume`: what is paused, for whom, and who may say so."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from commands import Place, Ran, run

from reconciler import migrate
from reconciler.pg import Secret, Url, connect, ident, literal

TABLE = "create table notes (id int primary key);"
MORE = "create table notes (id int primary key, line text);"


@pytest.fixture
def applying(place: Place) -> Place:
    """In mode `apply`, with one change that waits."""
    place.declare(TABLE)
    place.sql(TABLE)
    place.declare(MORE)
    return place


@pytest.fixture
def login(place: Place) -> Iterator[Url]:
    """A role without any right of its own."""
    role, password = f"looker_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    with connect(place.url) as admin:
        admin.execute(f"create role {ident(role)} login password {literal(password)}".encode())
        yield place.url.with_options(user=role, password=Secret(password))
        admin.execute(f"drop owned by {ident(role)}; drop role {ident(role)}".encode())


def once(place: Place, mode: str = "apply") -> Ran:
    file = place.folder / "reconciler.yaml"
    file.write_text(
        f"databases:\n  - name: clearscrub\n    url: {place.url.reveal()}\n    schema_dir: schema\n    mode: {mode}\n"
        f"    shadow: {place.shadow}\n    trust: reviewed\n"
    )
    return run("run", "--once", "--format", "json", "--config", str(file))


def conditions(ran: Ran) -> dict[str, str]:
    (database,) = ran.json["databases"]
    return {one["type"]: one["status"] for one in database["conditions"]}


@pytest.mark.parametrize("mode", ["propose", "apply"])
def test_a_suspended_database_is_looked_at_and_left_alone(applying: Place, mode: str) -> None:
    p = applying
    said = p.run("suspend", "--reason", "by hand,\n ticket 7")
    assert said.code == 0 and "suspended by" in said.out and "by hand, ticket 7" in said.out

    seen = once(p, mode)
    assert seen.code == 1
    assert conditions(seen) == {
        "InSync": "False", "ExtraObjects": "False", "Stalled": "False", "Suspended": "True",
    }  # fmt: skip
    assert [one["id"] for one in seen.json["databases"][0]["drift"]] == ["public.notes.line"]
    assert p.migrations == []
    assert p.sql("select count(*) from pg_attribute where attrelid = 'notes'::regclass and attnum > 0") == [
        (1,)
    ]

    back = p.run("resume")
    assert back.code == 0 and "reconciled again" in back.out and "ticket 7" in back.out
    then = once(p, mode)
    assert "Suspended" not in conditions(then)
    assert len(p.migrations) == 1
    assert conditions(then)["InSync"] == ("True" if mode == "apply" else "False")


def test_twice_is_once_and_what_was_first_stays(applying: Place) -> None:
    p = applying
    assert p.run("resume").out == f"{_name(p)} was not suspended.\n"
    assert p.sql("select to_regclass('reconciler.suspension')") == [(None,)]
    first = p.run("suspend --format json --reason a").json["suspension"]
    assert p.run("suspend --format json --reason a").json["suspension"] == first
    assert p.run("suspend --format json").json["suspension"] == first
    assert p.run("suspend --format json --reason b").json["suspension"]["reason"] == "b"
    was = p.run("resume --format json").json
    assert was["suspension"] is None and was["was"]["reason"] == "b"
    assert p.run("resume --format json").json["was"] is None
    assert p.sql("select suspended, reason from reconciler.suspension order by id") == [
        (True, "a"), (True, "b"), (False, ""),
    ]  # fmt: skip


def test_status_says_it_and_a_persons_apply_is_told_and_runs(applying: Place) -> None:
    p = applying
    assert p.run("apply --yes").code == 0
    assert p.run("status").code == 0
    assert p.run("suspend", "--reason", "the night").code == 0
    shown = p.run("status")
    assert shown.code == 1 and "✗ Suspended" in shown.out and "the night" in shown.out
    facts = p.run("status --format json").json["databases"][0]["facts"]
    assert facts["suspension"]["reason"] == "the night" and "@" in facts["suspension"]["who"]

    p.declare(MORE.replace("line text", "line text, word text"))
    done = p.run("apply --yes")
    assert done.code == 0 and "the night" in done.err and "all the same" in done.err
    assert "the night" in p.run("rollback --yes --allow all").err
    assert "the night" not in p.run("apply --yes --quiet").err


def test_a_declaration_that_fails_does_not_hide_the_pause(applying: Place) -> None:
    applying.run("suspend")
    applying.declare("create table notes (id int primary key, line no_such_type);")
    found = applying.run("status --format json")
    assert found.code == 3
    assert conditions(found) == {"InSync": "Unknown", "Stalled": "True", "Suspended": "True"}


def test_who_may_not_write_is_told_what_to_grant(applying: Place, login: Url) -> None:
    """What the messages tell to grant is granted, and then it works."""
    place = Place(applying.folder, login, applying.shadow)
    nothing = place.run("suspend")
    assert nothing.code == 3 and "grant create on database" in nothing.err
    with connect(applying.url) as admin:
        migrate.ensure(admin)
    refused = place.run("suspend", "--reason", "no")
    assert refused.code == 3 and "→ grant usage on schema reconciler" in refused.err
    assert place.run("resume").code == 3
    applying.sql(_hint(refused))
    assert place.run("suspend", "--reason", "yes").code == 0
    assert place.run("resume").code == 0


def test_who_may_only_look_sees_the_pause(applying: Place, login: Url) -> None:
    applying.run("suspend", "--reason", "hush")
    role = ident(login.user or "")
    applying.sql(f"grant usage on schema reconciler to {role};")
    looker = Place(applying.folder, login, applying.shadow)
    tables = "reconciler.format, reconciler.migrations, reconciler.inventory"
    applying.sql(f"grant select on {tables} to {role}; grant select on notes to {role}")
    unseen = looker.run("status --format json")
    assert unseen.code == 1 and "Suspended" not in conditions(unseen), unseen.err
    applying.sql(f"grant select on reconciler.suspension to {role}")
    seen = looker.run("status --format json")
    assert conditions(seen)["Suspended"] == "True"
    assert looker.run("resume").code == 3


def test_who_acts_must_be_able_to_see_whether_it_is_paused(applying: Place, login: Url) -> None:
    applying.run("suspend")
    role = ident(login.user or "")
    tables = "reconciler.format, reconciler.migrations, reconciler.inventory, notes"
    applying.sql(f"grant usage on schema reconciler to {role}; grant select on {tables} to {role}")
    found = once(Place(applying.folder, login, applying.shadow), "propose")
    assert found.code == 3
    (stalled,) = (c for c in found.json["databases"][0]["conditions"] if c["type"] == "Stalled")
    assert "grant select on reconciler.suspension to" in stalled["sentence"]
    assert applying.migrations == []


def _name(place: Place) -> str:
    return place.run("status --format json").json["databases"][0]["database"]


def _hint(ran: Ran) -> str:
    return ran.err.split("→ ", 1)[1]


def test_many_at_once_pause_it(database: Callable[..., Url]) -> None:
    url = database()

    def one(n: int) -> str:
        with connect(url) as session:
            return migrate.suspend(session, "together", client=f"c{n}").reason

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(8))) == {"together"}
    with connect(url) as session:
        assert migrate.suspension(session) is not None
        assert migrate.resume(session, client="me") is not None
        assert migrate.suspension(session) is None
