"""`deploy/compose.yaml`: what it names is there, it holds no secret, and what the daemon reads in it is right."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler import declare
from reconciler.settings.load import load

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = YAML(typ="safe", pure=True).load(DEPLOY / "compose.yaml")
SERVICES = pytest.mark.parametrize("name", COMPOSE["services"])


@SERVICES
def test_what_is_mounted_is_there(name: str) -> None:
    service = COMPOSE["services"][name]
    for mount in service.get("volumes", ()):
        source = mount.split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], mount
    assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()


@SERVICES
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"][name].get("ports", ()))


@SERVICES
def test_images_have_a_version(name: str) -> None:
    tag = COMPOSE["services"][name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-\w+)?|local", tag)


@SERVICES
def test_nothing_gains_rights(name: str) -> None:
    service = COMPOSE["services"][name]
    assert "no-new-privileges:true" in service["security_opt"] and not service.get("privileged")


def test_no_secret_stands_in_the_file() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for name, value in re.findall(r"^\s+(\w*(?:PASSWORD|TOKEN|SECRET)\w*):\s*(\S+)", text, re.MULTILINE):
        assert name.endswith("_FILE") and value.startswith("/run/secrets/"), name
    assert "://" not in re.sub(r"https?://[\w.:]+", "", text)
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().split()
    assert "deploy" in (DEPLOY.parent / ".dockerignore").read_text().split()


def test_the_secrets_are_written_once_and_fit_together(tmp_path: Path) -> None:
    (tmp_path / "compose").mkdir()
    script = tmp_path / "compose" / "secrets.sh"
    script.write_text((DEPLOY / "compose" / "secrets.sh").read_text())
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True)
        written = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
        assert written.keys() == COMPOSE["secrets"].keys()
        assert f":{written['reconciler_password']}@" in written["reconciler_url"]
        assert len(set(written.values())) == len(written)
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(["sh", str(script)], check=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == before


def test_the_configuration_and_the_declarations_are_read() -> None:
    config = load(DEPLOY / "compose" / "reconciler.yaml", environ={})
    (database,) = config.databases
    mounted = {mount.split(":")[1] for mount in COMPOSE["services"]["reconciler"]["volumes"]}
    assert str(database.schema_dir) in mounted and str(database.migrations.parent) in mounted
    secrets = COMPOSE["services"]["reconciler"]["secrets"]
    assert {str(database.url_file), str(config.http.token_file)} == {
        f"/run/secrets/{name}" for name in secrets
    }
    assert declare.read(DEPLOY / "compose" / "schema").files


def test_grafana_finds_its_dashboard_and_its_source() -> None:
    home = COMPOSE["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    provider = YAML(typ="safe").load(DEPLOY / "grafana/provisioning/dashboards/reconciler.yaml")["providers"][
        0
    ]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert (DEPLOY / "grafana/dashboards" / Path(home).name).is_file()
    source = YAML(typ="safe").load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")[
        "datasources"
    ][0]
    host = re.fullmatch(r"http://(\w+):9090", source["url"])
    assert host and host[1] in COMPOSE["services"]


def test_prometheus_scrapes_and_tells_services_there_are() -> None:
    found = YAML(typ="safe").load(DEPLOY / "prometheus" / "prometheus.yml")
    groups = [one["static_configs"] for one in found["scrape_configs"]]
    groups += [one["static_configs"] for one in found["alerting"]["alertmanagers"]]
    hosts = {target.split(":")[0] for group in groups for one in group for target in one["targets"]}
    assert hosts == {"reconciler", "alertmanager"} <= COMPOSE["services"].keys()
