"""The house itself: imports go one way, every kind, command and metric has its counterpart, nothing is named by habit."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import typer.main

import reconciler
from reconciler.catalog import kinds
from reconciler.cli.app import app
from reconciler.model import HazardCode
from reconciler.web.metrics import HISTOGRAMS, TABLE

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "reconciler"
SOURCES = sorted(PACKAGE.rglob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def section(title: str) -> str:
    """The text of one section of the README."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no section {title!r}"
    return found[1]


def test_imports_go_one_way() -> None:
    run = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", run, "--no-cache", "--config", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_room_has_its_place_in_the_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = {room.strip() for layer in layers for room in layer.split("|")}
    rooms = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])} - {"__main__"}
    assert rooms == placed


def test_one_file_loads_migra() -> None:
    loading = re.compile(r"""(import_module|__import__|find_spec)\(\s*["'](migra|schemainspect|sqlbag)""")
    assert [shown(path) for path in SOURCES if loading.search(path.read_text())] == ["plan/draft.py"]


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_each_file_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, "a module begins with a docstring"
    habits = re.compile(r"(Manager|Helper|Utils?|Base|Abstract\w*|Impl)\Z|\A(Base|Abstract)[A-Z]")
    assert [n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and habits.search(n.name)] == []


def test_the_registry_holds_every_kind_once() -> None:
    found = {}
    for module in pkgutil.iter_modules(kinds.__path__):
        kind = getattr(import_module(f"{kinds.__name__}.{module.name}"), "KIND", None)
        if kind is not None:
            found[module.name] = kind.name
    assert all(module == name for module, name in found.items())
    assert sorted(found) == sorted(kind.name for kind in kinds.REGISTRY)


def test_the_readme_names_every_kind() -> None:
    text = " ".join(section("What is compared").split())
    missing = [kind for kind in kinds.KINDS if not re.search(rf"\b{kind.replace('_', ' ')}\b", text)]
    assert missing == []


def test_every_case_belongs_to_a_kind() -> None:
    cases = ROOT / "tests" / "acceptance" / "cases"
    folders = {path.name for path in cases.iterdir() if path.is_dir()} if cases.is_dir() else set()
    assert folders <= set(kinds.KINDS)


def test_the_readme_lists_the_commands_there_are() -> None:
    group = typer.main.get_command(app)
    listed = set(re.findall(r"^\| `([a-z]+)", section("Commands"), re.MULTILINE))
    assert listed == set(group.commands)


def test_the_readme_lists_the_metrics_there_are() -> None:
    listed = set(re.findall(r"^\| `([a-z_]+)", section("Metrics"), re.MULTILINE))
    assert listed == {row.name for row in (*TABLE, *HISTOGRAMS)} | {"build_info"}


def test_the_readme_lists_the_hazards_there_are() -> None:
    listed = set(re.findall(r"^\| `([A-Z_]+)`", section("Hazards"), re.MULTILINE))
    assert listed == set(HazardCode)


def test_the_readme_has_one_line_to_try_and_one_to_test() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    for wanted in ("reconciler demo", "pytest"):
        assert len([line for line in lines if line.startswith("python3 -m venv") and wanted in line]) == 1


def test_the_version_stands_in_the_changelog() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{reconciler.__version__}]" in changes or "## [Unreleased]" in changes


def test_no_two_test_modules_have_one_name() -> None:
    """pytest takes modules without packages by their names alone: the second of that name would not be collected."""
    names = [
        path.name
        for path in (ROOT / "tests").rglob("test_*.py")
        if not (path.parent / "__init__.py").exists()
    ]
    assert [name for name in sorted(set(names)) if names.count(name) > 1] == []
