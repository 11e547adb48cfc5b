"""The action for pull requests: its scripts run here as on a runner, with a stand-in for docker that starts this very program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.engine.consent import NEEDS_CONSENT

GITHUB = Path(__file__).parents[2] / "deploy" / "github"
ACTION: dict[str, Any] = YAML(typ="safe", pure=True).load(GITHUB / "action.yml")
WORKFLOW: dict[str, Any] = YAML(typ="safe", pure=True).load(GITHUB / "workflow.yml")
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"]}


def module() -> Any:
    spec = util.spec_from_file_location("comment", GITHUB / "comment.py")
    assert spec and spec.loader
    made = util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


COMMENT = module()
PLAN = {
    "changes": [{"verb": "drop", "kind": "column", "id": "public.t.@team [x](http://evil)"}],
    "up": [{"sql": "alter table t drop column x -- ```", "reason": "gone", "hazards": ["DELETES_DATA", "BLOCKS_WRITES"]}],
    "down": [],
    "hazards": [{"code": "DELETES_DATA", "consequence": "values | are <b>gone</b>"}],
    "proof": {"up": True, "down": False, "residue": ["after down: `x` is missing"]},
}  # fmt: skip


def test_nothing_of_a_pull_request_stands_in_a_script() -> None:
    scripts = [step["run"] for step in (*STEPS.values(), *WORKFLOW["jobs"]["plan"]["steps"]) if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_what_is_referred_to_is_there() -> None:
    text = (GITHUB / "action.yml").read_text()
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    used = set(re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", text))
    assert {step for step, _ in used} <= {step.get("id") for step in STEPS.values()}
    for step, output in used:
        (script,) = (one["run"] for one in STEPS.values() if one.get("id") == step)
        assert f'echo "{output}=' in script
    given = next(
        s["with"] for s in WORKFLOW["jobs"]["plan"]["steps"] if "actions/reconciler" in s.get("uses", "")
    )
    assert set(given) <= set(ACTION["inputs"])
    assert {name for name, one in ACTION["inputs"].items() if one.get("required")} <= set(given)


def test_the_workflow_asks_for_little() -> None:
    triggers = WORKFLOW["on"]
    assert set(triggers) == {"pull_request"}
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    for step in WORKFLOW["jobs"]["plan"]["steps"]:
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_it_knows_which_hazards_need_consent() -> None:
    assert set(COMMENT.ASKED) == set(NEEDS_CONSENT)


@pytest.mark.parametrize(
    ("code", "reviewed", "verdict"),
    [(1, (), 1), (1, ("DELETES_DATA",), 0), (1, ("BLOCKS_WRITES",), 1), (2, (), 2), (3, ("DELETES_DATA",), 3), (4, (), 4), (70, (), 70)],
)  # fmt: skip
def test_the_verdict(code: int, reviewed: tuple[str, ...], verdict: int) -> None:
    text, found = COMMENT.judged(PLAN, "error: `why`", code, frozenset(reviewed))
    assert found == verdict
    assert text.startswith("<!-- reconciler -->\n")
    assert ("why" in text) == (code > 1)


def test_without_a_plan_it_is_a_fault() -> None:
    assert COMMENT.judged(None, "", 0, frozenset())[1] == 70
    assert COMMENT.judged({"up": [], "changes": []}, "", 0, frozenset()) == (
        "<!-- reconciler -->\n\n### Schema: nothing changes\n\nThe declared schema does not change.", 0,
    )  # fmt: skip


def test_names_are_shown_and_not_read() -> None:
    text, _ = COMMENT.judged(PLAN, "", 1, frozenset())
    assert "@team" not in text and "[x](" not in text and "<b>" not in text
    assert "````sql" in text  # the fence is longer than what is in it


@pytest.fixture
def runner(tmp_path: Path) -> Any:
    """Runs the steps `plan` and `judge` over two checkouts; gives exit code and comment."""
    folder = tmp_path / "work"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(
        f'#!/bin/bash\nwhile [ "$1" != IMAGE ]; do shift; done; shift\nexec {sys.executable} -m reconciler "$@"\n'
    )
    docker.chmod(0o755)

    def step(name: str, **variables: str) -> dict[str, str]:
        output = tmp_path / "output"
        output.write_text("")
        environment = {
            **os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}", "RUNNER_TEMP": str(tmp_path),
            "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), **variables,
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", STEPS[name]["run"]], cwd=folder, env=environment
        )
        assert done.returncode == 0
        return dict(line.split("=", 1) for line in output.read_text().splitlines())

    def run(before: str, after: str, labels: list[str]) -> tuple[int, str]:
        for place, text in ((".before/schema", before), ("schema", after)):
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / "all.sql").write_text(text)
        planned = step("plan", IMAGE="IMAGE", SCHEMA_DIR="schema", BEFORE=".before", DATABASE_URL="")
        judged = step("judge", ACTION=str(GITHUB), CODE=planned["code"], ALLOWED=json.dumps(labels))
        return int(judged["exit-code"]), (tmp_path / "comment.md").read_text()

    return run


def test_a_dropped_column_waits_for_a_label(runner: Any) -> None:
    before, after = (
        "create table public.t (id int primary key, a text);",
        "create table public.t (id int primary key);",
    )
    code, text = runner(before, after, ["bug"])
    assert code == 1 and "`hazard DELETES_DATA`" in text and "up ✓" in text
    code, text = runner(before, after, ["hazard DELETES_DATA"])
    assert code == 0 and "drop column" in text
    code, text = runner(before, before, [])
    assert code == 0 and "does not change" in text
    code, text = runner(before, "create table public.t (id nonsense);", [])
    assert code == 3 and "nonsense" in text


@pytest.mark.parametrize("name", STEPS)
def test_the_scripts_are_bash(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=STEPS[name]["run"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
