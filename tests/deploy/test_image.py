"""The Dockerfile and the systemd unit, as far as they can be judged without building an image or starting a system."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from majors import require_program

from reconciler.settings import Database, Listen
from reconciler.web import Board, serving
from reconciler.web.published import Published

ROOT = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
UNIT = ROOT / "deploy" / "systemd" / "reconciler.service"


def lines(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.*)$", DOCKERFILE, re.MULTILINE)


def test_the_base_has_a_version_and_the_image_no_rights() -> None:
    assert {
        re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm( AS build)?", base) is not None
        for base in lines("FROM")
    } == {True}
    assert lines("USER") == ["10001:10001"]
    assert json.loads(lines("ENTRYPOINT")[0]) == ["reconciler"] and json.loads(lines("CMD")[0]) == ["run"]
    for copied in lines("COPY"):
        sources = [word for word in shlex.split(copied)[:-1] if not word.startswith("--")]
        assert copied.startswith("--from") or all((ROOT / one).exists() for one in sources)


def test_everything_the_wheel_is_made_of_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "README.md", "LICENSE", "pyproject.toml"}
    copied = {word for line in lines("COPY") if not line.startswith("--") for word in shlex.split(line)[:-1]}
    assert needed <= copied


@pytest.mark.parametrize(("deadline", "code"), [(None, 0), (0.0, 1)])
def test_the_health_check_asks_whether_the_loop_is_alive(deadline: float | None, code: int) -> None:
    (check,) = (line for line in lines("HEALTHCHECK"))
    _, script = json.loads(check[check.index("[") :])[1:]
    board = Board(Published((), deadline))
    with serving(Listen("127.0.0.1", 0), lambda: board.current) as server:
        listen = f"0.0.0.0:{server.listen.port}"
        done = subprocess.run(
            [sys.executable, "-c", script], env={"RECONCILER_HTTP__LISTEN": listen}, capture_output=True
        )
    assert done.returncode == code, done.stderr


def test_hadolint_agrees() -> None:
    require_program("hadolint")
    done = subprocess.run(["hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_the_unit_ends_the_daemon_as_it_wants_to_be_ended() -> None:
    service = unit()
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"].removesuffix("s")) > 2 * Database(name="x").grace.seconds + 10
    assert shlex.split(service["ExecStart"])[1] == "run"
    assert service["RestartPreventExitStatus"] == "2"


def test_the_unit_hands_over_the_password_and_little_else() -> None:
    service = unit()
    assert service["LoadCredential"].startswith("url:")
    assert service["ProtectSystem"] == "strict" and service["CapabilityBoundingSet"] == ""
    assert "postgresql://" not in UNIT.read_text()


@pytest.mark.parametrize("how", ["verify", "security"])
def test_systemd_agrees(how: str, tmp_path: Path) -> None:
    require_program("systemd-analyze")
    copy = tmp_path / UNIT.name
    # What it starts is not installed here.
    copy.write_text(UNIT.read_text().replace("/opt/reconciler/bin/reconciler", "/bin/true"))
    options = ["--offline=true", "--threshold=20"] if how == "security" else []
    done = subprocess.run(
        ["systemd-analyze", how, *options, str(copy)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "Unknown" not in done.stderr, done.stdout + done.stderr
