"""Alerts, runbook and dashboard belong together: what one names, the others and the metrics know.

What the rules answer to is tried by promtool (`deploy/prometheus/rules_test.yml`), also from here where it is installed.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from majors import require_program
from ruamel.yaml import YAML

from reconciler.cli.app import app
from reconciler.web.metrics import HISTOGRAMS, TABLE

DEPLOY = Path(__file__).parents[2] / "deploy"
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
PROMISED: dict[str, tuple[str, ...]] = {}
"""Metrics whose alerts are there already. Whoever adds them to the table takes them out of here."""
COMING: set[str] = set()
"""The same of commands."""


def loaded(path: str) -> Any:
    return YAML(typ="safe", pure=True).load(DEPLOY / path)


RULES = [rule for group in loaded("prometheus/rules.yml")["groups"] for rule in group["rules"]]
BY_ALERT = pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])


def metrics() -> dict[str, tuple[str, ...]]:
    """What can be scraped, and by which labels."""
    found = {row.name: row.labels for row in TABLE} | {"build_info": ("version", "python")} | PROMISED
    for histogram in HISTOGRAMS:
        found |= {f"{histogram.name}_{part}": histogram.labels for part in ("sum", "count")}
        found[f"{histogram.name}_bucket"] = (*histogram.labels, "le")
    return found


def strangers(expression: str) -> list[str]:
    """Metrics and labels in an expression that nobody publishes."""
    known = metrics()
    found = []
    for name, selector in re.findall(r"reconciler_(\w+)(?:\{([^}]*)\})?", expression):
        labels = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)
        found += [] if name in known else [name]
        found += [f"{name}{{{label}}}" for label in labels if label not in known.get(name, (label,))]
    return found


def test_what_is_promised_is_not_there_yet() -> None:
    assert not set(PROMISED) & {row.name for row in TABLE}
    assert not COMING & set(typer.main.get_command(app).commands)


@BY_ALERT
def test_an_alert_says_what_how_bad_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"deploy/RUNBOOK.md#{rule['alert'].lower()}"


@BY_ALERT
def test_an_alert_asks_for_metrics_there_are(rule: dict[str, Any]) -> None:
    assert strangers(rule["expr"]) == []


def test_a_stranger_is_found() -> None:
    assert strangers('reconciler_drift{database="a"} + reconciler_leader{name="a"}') == [
        "drift",
        "leader{name}",
    ]


@BY_ALERT
def test_an_alert_fires_in_a_test(rule: dict[str, Any]) -> None:
    fired = set()
    for test in loaded("prometheus/rules_test.yml")["tests"]:
        fired |= {one["alertname"] for one in test.get("alert_rule_test", ()) if one["exp_alerts"]}
        for one in test.get("promql_expr_test", ()):
            for sample in one["exp_samples"]:
                fired |= set(re.findall(r'alertname="(\w+)",alertstate="firing"', sample["labels"]))
    assert rule["alert"] in fired


def test_the_runbook_has_a_section_for_each_alert_in_their_order() -> None:
    assert list(SECTIONS) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("alert", SECTIONS)
def test_a_section_answers_the_four_questions(alert: str) -> None:
    asked = re.findall(r"^\*\*(\w+)\*\* ", SECTIONS[alert], re.MULTILINE)
    assert asked == ["Means", "See", "Do", "Escalate"]


def typed() -> Iterator[str]:
    """The commands that the runbook tells to type."""
    yield from re.findall(r"`(reconciler [^`]+)`", RUNBOOK)


def test_the_runbook_types_commands_there_are() -> None:
    commands = typer.main.get_command(app).commands
    wrong = []
    for text in typed():
        _, name, *words = text.split()
        if name in COMING:
            continue
        known = (
            {option for one in commands[name].params for option in one.opts} if name in commands else set()
        )
        wrong += [f"{text}: {word}" for word in words if word.startswith("-") and word not in known]
        wrong += [] if name in commands else [text]
    assert wrong == []


DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/reconciler.json").read_text(encoding="utf-8"))
ASKED = [
    (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
]


def test_the_panels_ask_for_metrics_there_are() -> None:
    assert [found for _, expression in ASKED for found in strangers(expression)] == []
    notes = [note["expr"] for note in DASHBOARD["annotations"]["list"]]
    assert [found for expression in notes for found in strangers(expression)] == []


def test_every_metric_has_a_panel() -> None:
    shown = {name for _, expression in ASKED for name in re.findall(r"reconciler_(\w+)", expression)}
    # what differs is shown by kind, and whether anything does by the condition
    assert set(metrics()) - shown <= {"drift_detected"} | {
        f"{one.name}_{part}" for one in HISTOGRAMS for part in ("sum", "count")
    }


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    places = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places and at["x"] + at["w"] <= 24, panel["title"]
        places |= cells
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))


def test_the_panels_ask_in_promql(tmp_path: Path) -> None:
    require_program("promtool")
    plain = [e.replace("$__rate_interval", "5m").replace("$database", ".*") for _, e in ASKED]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(plain)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", "panels.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_silences_only_alerts_there_are() -> None:
    names = {rule["alert"] for rule in RULES}
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"Reconciler\w+", text)) <= names


@pytest.mark.parametrize(
    "command",
    [
        "promtool check rules prometheus/rules.yml",
        "promtool test rules prometheus/rules_test.yml",
        "promtool check config prometheus/prometheus.yml",
        "amtool check-config alertmanager/alertmanager.yml",
    ],
)
def test_the_tools_of_prometheus_agree(command: str) -> None:
    program, *arguments = command.split()
    require_program(program)
    done = subprocess.run([program, *arguments], cwd=DEPLOY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
