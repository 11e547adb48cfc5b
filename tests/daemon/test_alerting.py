"""The whole way of an alert: the daemon sees drift, Prometheus asks the daemon, Alertmanager tells somebody, and takes it back.

Debian's programs with the files of `deploy/`; only addresses and waiting times are other ones.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from majors import require_program
from processes import Ground, until
from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[2] / "deploy"
Note = tuple[str, str, str, str]
"""Receiver, alert, database, firing or resolved."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def loaded(path: str) -> Any:
    return YAML(typ="safe", pure=True).load(DEPLOY / path)


@contextmanager
def told() -> Iterator[tuple[int, list[Note]]]:
    """Somebody whom Alertmanager can tell: a port, and what was told there."""
    notes: list[Note] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            for alert in body["alerts"]:
                labels = alert["labels"]
                notes.append(
                    (body["receiver"], labels["alertname"], labels.get("database", ""), alert["status"])
                )
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Not on the terminal of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, notes
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def alertmanager(folder: Path, ear: int) -> Iterator[int]:
    config = loaded("alertmanager/alertmanager.yml")
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": f"http://127.0.0.1:{ear}/"}]
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    port = free_port()
    with running(
        folder, "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alerts",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ):  # fmt: skip
        yield port


@contextmanager
def prometheus(folder: Path, page: str, alerts: int) -> Iterator[Callable[[str], list[Any]]]:
    """Gives a function that asks it."""
    config, rules = loaded("prometheus/prometheus.yml"), loaded("prometheus/rules.yml")
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{alerts}"]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [urllib.parse.urlsplit(page).netloc]
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    (folder / "prometheus.yml").write_text(json.dumps(config))
    (folder / "rules.yml").write_text(json.dumps(rules))
    port = free_port()

    def ask(query: str) -> list[Any]:
        address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return list(json.load(answer)["data"]["result"])
        except OSError:
            return []

    with running(
        folder, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
    ):  # fmt: skip
        yield ask


@contextmanager
def running(folder: Path, program: str, *arguments: str) -> Iterator[None]:
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def test_drift_is_told_and_taken_back(ground: Ground, tmp_path: Path) -> None:
    for program in ("prometheus", "prometheus-alertmanager"):
        require_program(program)
    ground.configure(mode="observe", check_interval="1s")
    ground.sql("create table t (id integer primary key, v text)")
    daemon = ground.start()
    until(lambda: daemon.condition() == "True", "the first look ends in sync")
    with ExitStack() as stack:
        ear, notes = stack.enter_context(told())
        ask = stack.enter_context(
            prometheus(tmp_path, daemon.page, stack.enter_context(alertmanager(tmp_path, ear)))
        )
        until(lambda: ask('up{job="reconciler"} == 1'), "Prometheus scrapes the daemon")
        until(
            lambda: ask('reconciler_condition{type="InSync",status="True"} == 1'), "and knows its conditions"
        )
        # Until its first scrape it rightly said that there is none.
        until(lambda: not ask("ALERTS"), "all is well")
        notes.clear()

        ground.sql("alter table t add column by_hand integer")
        until(lambda: ("tickets", "ReconcilerDrift", "one", "firing") in notes, "drift is told")
        ground.sql("alter table t drop column by_hand")
        until(lambda: ("tickets", "ReconcilerDrift", "one", "resolved") in notes, "and taken back")
        assert {alert for _, alert, _, how in notes if how == "firing"} == {"ReconcilerDrift"}

        assert daemon.end() == 0
        until(
            lambda: ("on-call", "ReconcilerAbsent", "", "firing") in notes,
            "its absence is told to whoever is on call",
        )
