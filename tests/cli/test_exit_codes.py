"""One clear message each, the right exit code, nothing changed, and no password anywhere."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import DECLARED, Place, run, spawn

from reconciler.embedded import Server
from reconciler.engine import looking, purging
from reconciler.migrate import applier
from reconciler.pg import Url, connect
from reconciler.run import Pace

PASSWORD = "s3cret-hunter2"


@pytest.fixture
def guest(server: Server) -> Iterator[Url]:
    """A role that can log in and owns nothing."""
    with connect(server.url) as admin:
        admin.execute("drop role if exists reconciler_cli_guest")
        admin.execute(f"create role reconciler_cli_guest login password '{PASSWORD}'")
        yield server.url.with_options(user="reconciler_cli_guest", password=PASSWORD)
        admin.execute("drop role if exists reconciler_cli_guest")


def test_a_life_from_nothing_to_rolled_back(place: Place) -> None:
    assert place.run("plan --check").code == 1
    assert place.migrations == []
    assert place.run("drift").code == 1
    assert place.run("status").code == 1
    assert place.run("plan").code == 0
    assert len(place.migrations) == 1
    assert "already" in place.run("plan").err
    assert len(place.migrations) == 1
    assert place.run("apply --yes").code == 0
    assert place.run("apply --yes").out == "Nothing to apply.\n"
    for command in ("plan --check", "drift", "status", "history"):
        assert place.run(command).code == 0, command
    place.sql("alter table notes disable row level security")
    assert place.run("drift").code == 1
    assert place.run("rollback --yes").code == 3, "what drifted would not come back"
    place.sql("alter table notes enable row level security")
    refused = place.run("rollback --yes")
    assert refused.code == 3
    assert "--allow DELETES_DATA" in refused.err
    assert place.sql("select to_regclass('notes') is not null") == [(True,)]
    assert place.run("rollback --yes --allow all").code == 0
    assert place.sql("select to_regclass('notes') is null") == [(True,)]
    assert place.run("rollback --yes --allow all").code == 3


@pytest.mark.parametrize(
    ("text", "name", "code", "says"),
    [
        ("tables: {notes: {colums: {id: int}}}", "a.yaml", 2, "did you mean columns?"),
        ("tables: [", "a.yaml", 2, "not YAML"),
        ("create tabel notes (id int);", "a.sql", 3, 'syntax error at or near "tabel"'),
        ("create table notes (id int references nowhere (id));", "a.sql", 3, '"nowhere" does not exist'),
        ("create extension not_there_at_all;", "a.sql", 3, "not_there_at_all"),
        ("alter system set work_mem = '1MB';", "a.sql", 2, "ALTER SYSTEM is refused"),
    ],
)
def test_a_bad_declaration_is_said_with_file_and_line(
    place: Place, text: str, name: str, code: int, says: str
) -> None:
    place.schema.joinpath("all.sql").unlink()
    place.declare(text, name)
    for command in ("plan", "apply --yes", "drift"):
        answer = place.run(command)
        assert answer.code == code, answer.err
        assert says in answer.err
        assert f"{name}:1" in answer.err
        assert "Traceback" not in answer.err
    assert place.sql("select 1 from pg_namespace where nspname = 'reconciler'") == []
    assert place.sql("select 1 from pg_class where relname = 'notes'") == []


@pytest.mark.parametrize(
    "command", ["plan", "status", "drift", "history", "apply --yes", "doctor", "run --once"]
)
def test_a_wrong_password_needs_a_person(guest: Url, place: Place, command: str) -> None:
    wrong = f"not-{PASSWORD}"
    url = guest.with_options(password=wrong, dbname=place.url.database).reveal()
    answer = run(*command.split(), "--url", url, "--schema-dir", str(place.schema))
    assert answer.code == 3, answer.err
    assert "user name or the password" in answer.err + answer.out
    assert PASSWORD not in answer.err + answer.out


@pytest.mark.parametrize(
    "command", ["plan", "status", "drift", "history", "apply --yes", "doctor", "run --once"]
)
def test_an_unreachable_server_is_tried_again_later(place: Place, command: str) -> None:
    url = f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/nowhere"
    answer = run(*command.split(), "--url", url, "--schema-dir", str(place.schema))
    assert answer.code == 4, answer.err
    assert "cannot be reached" in answer.err + answer.out
    assert PASSWORD not in answer.err + answer.out


def test_purge_beside_an_apply_is_for_later(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for end in (purging.purge, purging.erase):
        monkeypatch.setitem(end.__kwdefaults__, "wait", 0.1)
    assert place.run("apply --yes").code == 0
    place.sql("insert into notes select gen_random_uuid(), gen_random_uuid(), 'a' from generate_series(1, 3)")
    place.declare("create table other (id integer);")
    assert place.run("apply --yes --allow all").code == 0
    with applier(lambda: connect(place.url, application_name="night shift"), wait=0, pace=Pace()):
        for command in (("purge --older-than 0s --yes",), ("purge --yes --erase-where", "line = 'a'")):
            answer = place.run(*command)
            assert answer.code == 4, answer.out
            assert "another applier is at work" in answer.err
            assert "night shift" in answer.err
    assert "3 rows deleted" in place.run("purge --yes --erase-where", "line = 'a'").out
    assert place.run("purge --yes --erase-where", "nothing = 1").code == 3
    assert place.run("purge --older-than 0s --yes").code == 0
    assert place.run("purge --list").out == "Nothing is kept.\n"


@pytest.mark.parametrize("command", ["apply --yes", "plan", "plan --export flyway --out {folder}"])
def test_a_folder_that_cannot_be_written_is_for_a_person(place: Place, tmp_path: Path, command: str) -> None:
    """A file stands where the folder should be: not even root may write there."""
    taken = tmp_path / "taken"
    taken.write_text("")
    folder = taken / "migrations"
    answer = place.run(command.format(folder=folder), "--migrations-dir", str(folder))
    assert (
        answer.code == 3 and f"{folder}" in answer.err and "cannot be written: Not a directory" in answer.err
    )
    assert place.sql("select to_regclass('notes') is null") == [(True,)]


def test_a_database_of_somebody_else_is_left_as_it_is(guest: Url, place: Place) -> None:
    place.sql("create table notes (id uuid primary key)")
    url = guest.with_options(dbname=place.url.database).reveal()
    options = ("--url", url, "--schema-dir", str(place.schema))
    for command in ("plan", "apply --yes"):
        answer = run(*command.split(), *options)
        assert answer.code == 3, answer.out
        assert "doctor --fix" in answer.err
    assert place.sql(
        "select count(*) from pg_attribute where attrelid = 'notes'::regclass and attnum > 0"
    ) == [(1,)]
    advised = run("doctor", "--fix", *options)
    assert advised.code == 1
    assert f"grant create on database {place.url.database} to reconciler_cli_guest;" in advised.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "--no-such-option"], "No such option"),
        (["no-such-command"], "No such command"),
        (["diff", "empty"], "Missing argument"),
        (["plan", "--format", "xml"], "xml"),
        (["diff", "nowhere.sql", "empty"], "nowhere.sql"),
        (["purge", "--hold", "public.t", "--url", "postgresql:///x"], "belong together"),
        (["purge", "--list", "--erase-where", "id = 1", "--url", "postgresql:///x"], "different things"),
        (["purge", "--older-than", "soon", "--url", "postgresql:///x"], "is not a duration"),
        (["diff", f"postgresql://a:{PASSWORD}@b@c/d", "empty"], "not escaped"),
        (["diff", f"mysql://a:{PASSWORD}@c/d", "empty"], "postgresql://"),
        (["plan", "--allow", "NO_SUCH_CODE", "--url", "postgresql:///x"], "hazard that does not exist"),
        (["plan", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["plan", "--schema-dir", "nowhere", "--url", "postgresql:///x"], "no schema directory"),
        (["plan"], "has no URL"),
        (["explain", "NO_SUCH_CODE"], "there is no hazard and no rule"),
        (["schema", "nothing"], "there is no schema nothing"),
        (["run"], "has no URL"),
        (["init", "--baseline"], "--from URL"),
        (["rollback", "--to", "1", "--steps", "2", "--url", "postgresql:///x"], "two things"),
    ],
)
def test_wrong_usage(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schema").mkdir()
    monkeypatch.chdir(tmp_path)
    answer = run(*arguments)
    assert answer.code == 2, answer.err
    assert says in answer.err
    assert answer.out == ""
    assert PASSWORD not in answer.err


def test_unknown_keys_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reconciler.yaml").write_text("databases:\n  - name: a\n    shcema_dir: db\n")
    monkeypatch.chdir(tmp_path)
    answer = run("validate")
    assert answer.code == 2
    assert "reconciler.yaml:3" in answer.err
    assert "schema_dir" in answer.err


def test_without_a_terminal_nobody_agrees(place: Place) -> None:
    answer = place.run("apply")
    assert answer.code == 2
    assert "--yes" in answer.err
    assert place.migrations == []
    assert place.sql("select to_regclass('notes') is null") == [(True,)]


def test_on_a_terminal_the_plan_is_shown_and_asked_about(place: Place) -> None:
    code, said = on_a_terminal("y\n", "apply", *place.options)
    assert code == 0, said
    assert "create table" in said
    assert "\x1b[" in said
    assert "Apply this?" in said
    assert len(place.migrations) == 1
    code, said = on_a_terminal("n\n", "rollback", *place.options)
    assert code == 3
    assert "drop table" in said
    assert place.sql("select to_regclass('notes') is not null") == [(True,)]


def on_a_terminal(keys: str, *arguments: str) -> tuple[int, str]:
    """Runs the command on a pseudo-terminal and types `keys` once it asks."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "reconciler", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"},
    )  # fmt: skip
    os.close(theirs)
    said, typed = b"", False
    while select.select([ours], [], [], 120)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
        if not typed and b"[y/N]" in said:
            os.write(ours, keys.encode())
            typed = True
    os.close(ours)
    return child.wait(timeout=60), said.decode(errors="replace")


def test_a_fault_of_ours_is_one_line_and_70(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the moon is full")

    monkeypatch.setattr(looking, "history", broken)
    answer = place.run("history")
    assert answer.code == 70
    assert answer.err.startswith("internal error: RuntimeError: the moon is full\n")
    assert "Traceback" not in answer.err
    assert "Traceback" in place.run("history --verbose").err
    assert place.run("history --format json").json["error"]["kind"] == "internal"


def test_an_interruption_is_130(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(looking, "history", interrupted)
    assert place.run("history").code == 130


def test_results_and_words_have_streams_of_their_own(place: Place, make_sql: Callable[[str], str]) -> None:
    differs = spawn(
        "diff", "empty", make_sql(DECLARED), "--shadow", place.shadow, "--format", "json", "--verbose"
    )
    assert differs.code == 1
    assert differs.json["in_sync"] is False
    assert "… load" in differs.err


def test_colours_are_for_terminals() -> None:
    assert "\x1b" not in spawn("explain", "DELETES_DATA", environ={"TERM": "xterm-256color"}).out
    assert "\x1b[36m" in spawn("explain", "DELETES_DATA", environ={"FORCE_COLOR": "1", "TERM": "xterm"}).out
    both = spawn(
        "explain", "DELETES_DATA", environ={"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}
    ).out
    assert "\x1b[36m" not in both


@pytest.fixture
def make_sql(tmp_path: Path) -> Callable[[str], str]:
    def make(text: str) -> str:
        path = tmp_path / f"{abs(hash(text))}.sql"
        path.write_text(text)
        return str(path)

    return make
