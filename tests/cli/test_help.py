"""What --help promises: every command, every option of the contract, an example each, and quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands import run, spawn

EVERY = ("--config", "--format", "--quiet")
ON_A_DATABASE = ("--url", "--schema-dir", "--migrations-dir", "--schemas", "--shadow", "--yes", "--allow")
COMMANDS = (
    "demo", "init", "validate", "plan", "diff", "audit", "test", "bench", "approve", "apply", "rollback", "purge", "suspend", "resume", "show", "history", "status", "drift", "explain", "doctor",
    "schema", "run", "listener install", "listener remove", "new table", "new trigger", "new policy", "new migration",
)  # fmt: skip
WITH_DATABASE = (
    "plan",
    "audit",
    "bench",
    "test",
    "approve",
    "apply",
    "rollback",
    "purge",
    "suspend",
    "resume",
    "show",
    "history",
    "status",
    "drift",
    "doctor",
    "run",
)
OWN = {
    "audit": ("--fail-on", "--live", "--out", "--remedy", "--no-attacks", "--platform"),
    "bench": ("--trigger", "--live", "--single", "--bulk", "--seconds", "--plans", "--out"),
    "test": ("--race", "--schedule", "--level", "--junit", "--seconds", "--list", "--live", "--out"),
    "diff": ("--prove", "--keep-data", "--down", "--scratch", "--schemas"),
    "plan": ("--check", "--out", "--phased", "--export"),
    "approve": ("--withdraw",),
    "apply": ("--destroy",),
    "rollback": ("--to", "--steps"),
    "purge": ("--list", "--older-than", "--hold", "--reason", "--release", "--erase-where"),
    "suspend": ("--reason",),
    "show": ("--up", "--down"),
    "init": ("--from", "--baseline"),
    "doctor": ("--fix",),
    "run": ("--once",),
    "demo": ("--once",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    said = run(*command.split(), "--help")
    assert said.code == 0
    assert "Examples:" in said.out
    assert f"\n    reconciler {command}" in said.out
    wanted = (*EVERY, *(ON_A_DATABASE if command in WITH_DATABASE else ()), *OWN.get(command, ()))
    assert [option for option in wanted if option not in said.out] == []


def test_no_command_is_forgotten_here() -> None:
    listed = [
        line.split()[0]
        for line in run("--help").out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    ]
    assert set(listed) == {command.split()[0] for command in COMMANDS}


def test_help_loads_nothing_heavy() -> None:
    """Half a second is promised; what takes longer is loading pydantic, psycopg, rich or the engine."""
    script = (
        "import sys; from reconciler.cli.app import app;"
        "print([m for m in ('pydantic', 'psycopg', 'rich.console', 'reconciler.engine', 'migra') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_and_no_arguments() -> None:
    assert spawn("--version").out.startswith("reconciler 0.")
    nothing = spawn()
    assert "Commands:" in nothing.out + nothing.err
