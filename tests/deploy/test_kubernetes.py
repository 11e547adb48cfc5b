"""The manifests of `deploy/kubernetes`, put together as kustomize does it, and by kubectl where that is installed."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from majors import require_program
from ruamel.yaml import YAML

from reconciler.settings import Database
from reconciler.settings.load import load

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("configmap", "git-sync")
FILES = sorted(KUBERNETES.rglob("*.yaml"))


def documents(text: str) -> list[Any]:
    return [one for one in YAML(typ="safe", pure=True).load_all(io.StringIO(text)) if one is not None]


def read(path: Path) -> Any:
    (one,) = documents(path.read_text(encoding="utf-8"))
    return one


def merged(base: Any, patch: Any) -> Any:
    """A strategic merge as far as these patches need it: lists of named things are merged by their names."""
    if isinstance(base, dict) and isinstance(patch, dict):
        both = base.keys() & patch.keys()
        return {**base, **patch, **{key: merged(base[key], patch[key]) for key in both}}
    if isinstance(base, list) and isinstance(patch, list):
        known = {key(one): one for one in base}
        for one in patch:
            known[key(one)] = merged(known[key(one)], one) if key(one) in known else one
        return list(known.values())
    return patch


def key(one: Any) -> Any:
    return (one.get("mountPath") or one.get("name") or repr(one)) if isinstance(one, dict) else one


def deployment(overlay: str) -> dict[str, Any]:
    found = read(KUBERNETES / "base" / "deployment.yaml")
    for patch in read(KUBERNETES / "overlays" / overlay / "kustomization.yaml")["patches"]:
        if "path" in patch:
            found = merged(found, read(KUBERNETES / "overlays" / overlay / patch["path"]))
    return found


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name == "kustomization.yaml"], ids=lambda path: path.parent.name
)
def test_what_a_kustomization_names_is_there(path: Path) -> None:
    found = read(path)
    named = [*found.get("resources", ()), *found.get("components", ())]
    named += [one["path"] for one in found.get("patches", ()) if "path" in one]
    named += [file for one in found.get("configMapGenerator", ()) for file in one.get("files", ())]
    assert named
    assert [one for one in named if not (path.parent / one).exists()] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted(overlay: str) -> None:
    """Pod Security Standards, level restricted, and nothing of Kubernetes in the pod."""
    pod = deployment(overlay)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False and "serviceAccountName" not in pod
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }, container["name"]  # fmt: skip
        assert {"requests", "limits"} <= container["resources"].keys()
        assert ":" in container["image"] and not container["image"].endswith(":latest")
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}
    assert not any(kind in {one.get("kind") for p in FILES for one in documents(p.read_text())} for kind in (
        "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount", "Secret"))  # fmt: skip


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_two_replicas_that_are_asked_how_they_are(overlay: str) -> None:
    spec = deployment(overlay)["spec"]
    assert spec["replicas"] == 2
    (found,) = (c for c in spec["template"]["spec"]["containers"] if c["name"] == "reconciler")
    assert found["args"] == ["run"]
    assert found["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert found["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    grace = Database(name="x").grace.seconds
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > 2 * grace + 10


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_written_has_a_place(overlay: str) -> None:
    """The file system is read-only but for these."""
    pod = deployment(overlay)["spec"]["template"]["spec"]
    (found,) = (c for c in pod["containers"] if c["name"] == "reconciler")
    empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    writable = [m["mountPath"] for m in found["volumeMounts"] if m["name"] in empty and not m.get("readOnly")]
    assert sorted(writable) == ["/tmp", "/var/lib/reconciler"]
    variables = {one["name"]: one["value"] for one in found["env"]}
    assert variables["XDG_CACHE_HOME"].startswith("/var/lib/reconciler/")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_configuration_is_one_and_what_it_names_is_mounted(overlay: str) -> None:
    own = KUBERNETES / "overlays" / overlay / "reconciler.yaml"
    config = load(own if own.exists() else KUBERNETES / "base" / "reconciler.yaml", environ={})
    pod = deployment(overlay)["spec"]["template"]["spec"]
    (found,) = (c for c in pod["containers"] if c["name"] == "reconciler")
    mounts = [mount["mountPath"] for mount in found["volumeMounts"]]
    for database in config.databases:
        assert database.mode == "observe"
        assert database.url_file is not None and config.http.token_file is not None
        for path in (database.schema_dir, database.url_file, config.http.token_file):
            assert any(path.is_relative_to(mount) for mount in mounts), path


def test_a_folder_that_is_to_be_followed_is_mounted_whole() -> None:
    """Kubernetes never updates what is mounted by subPath."""
    for overlay in OVERLAYS:
        for container in deployment(overlay)["spec"]["template"]["spec"]["containers"]:
            for mount in container["volumeMounts"]:
                assert "subPath" not in mount or mount["name"] == "config"


def test_only_the_needed_gets_through() -> None:
    policy = read(KUBERNETES / "base" / "networkpolicy.yaml")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["http"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 5432}


def test_the_operator_gets_the_rules_that_are_tested() -> None:
    rules = read(KUBERNETES.parent / "prometheus" / "rules.yml")
    assert read(KUBERNETES / "components" / "monitoring" / "prometheusrule.yaml")["spec"] == rules
    monitor = read(KUBERNETES / "components" / "monitoring" / "podmonitor.yaml")
    assert (
        monitor["metadata"]["name"] == "reconciler"
    )  # the alerts know the job that the operator makes of it


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_makes_the_same_of_it(overlay: str) -> None:
    require_program("kubectl")
    done = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES / "overlays" / overlay)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (found,) = (one for one in documents(done.stdout) if one["kind"] == "Deployment")
    ours = deployment(overlay)["spec"]["template"]["spec"]
    theirs = found["spec"]["template"]["spec"]
    names = {volume["name"] for volume in ours["volumes"]}
    assert {volume["name"] for volume in theirs["volumes"]} == names
    by_name = {container["name"]: container for container in theirs["containers"]}
    for container in ours["containers"]:
        other = by_name[container["name"]]
        assert {m["mountPath"] for m in other["volumeMounts"]} == {
            m["mountPath"] for m in container["volumeMounts"]
        }
        assert other["securityContext"] == container["securityContext"]
    assert found["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": "reconciler"}
