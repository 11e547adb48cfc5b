"""The Dockerfile's steps really run, and what comes out runs the demonstration, without a Docker engine.

    pytest -q -s -m image tests/deploy      as root on Debian, with buildah and debootstrap installed; some minutes

The base image comes from Docker's registry; where that cannot be reached, a minimal Debian made by debootstrap stands in for it, with
Debian's Python. `RECONCILER_REQUIRE=buildah,debootstrap` turns the skip where a program is missing into a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from majors import require_program

ROOT = Path(__file__).parents[2]
BASE = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
MIRROR = "http://deb.debian.org/debian"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command with a storage of its own, which is gone afterwards."""
    program = require_program("buildah")
    if os.geteuid():
        pytest.skip("only root may build an image without an engine")
    folder = tmp_path_factory.mktemp("containers")
    yield [
        program,
        "--storage-driver",
        "vfs",
        "--root",
        str(folder / "root"),
        "--runroot",
        str(folder / "run"),
    ]
    shutil.rmtree(folder, ignore_errors=True)


def run(*command: str, said: bool = False) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if said:
        print(done.stdout)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def base(buildah: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image under the name that the Dockerfile begins with: Debian, Python, and what this machine needs to reach PyPI."""
    tree = tmp_path_factory.mktemp("debian") / "tree"
    packages = "python3,python3-venv,python3-pip,ca-certificates"
    run(
        require_program("debootstrap"),
        "--variant=minbase",
        f"--include={packages}",
        "bookworm",
        str(tree),
        MIRROR,
    )
    (tree / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, tree / "etc/ssl/certs/ca-certificates.crt")
    made = run(*buildah, "from", "scratch")
    run(*buildah, "copy", made, str(tree), "/")
    run(
        *buildah,
        "config",
        "--env",
        f"PIP_CERT={CERTIFICATES}",
        "--env",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        made,
    )
    run(*buildah, "commit", made, f"docker.io/library/{BASE}")
    shutil.rmtree(tree)
    return BASE


@pytest.fixture(scope="module")
def image(buildah: list[str], base: str) -> str:
    run(*buildah, "build", "--isolation", "chroot", "--pull-never", "--tag", "reconciler-tried", str(ROOT))
    return "reconciler-tried"


@pytest.fixture(scope="module")
def container(buildah: list[str], image: str) -> str:
    return run(*buildah, "from", "--pull-never", image)


def test_it_runs_the_demonstration_as_nobody(buildah: list[str], container: str) -> None:
    inside = [*buildah, "run", "--isolation", "chroot", container, "--"]
    assert run(*inside, "id", "-u") == "10001"
    said = run(*inside, "reconciler", "demo", "--once", said=True)
    assert re.search(r"^Done in \d+ s\.$", said, re.MULTILINE)


def test_it_holds_no_compiler_and_nothing_of_the_repository(buildah: list[str], container: str) -> None:
    inside = [*buildah, "run", "--isolation", "chroot", container, "--", "python", "-c"]
    script = (
        "import os, shutil; print([n for n in ('gcc', 'make') if shutil.which(n)], os.path.exists('/src'))"
    )
    assert run(*inside, script) == "[] False"


def test_it_says_its_version(buildah: list[str], container: str) -> None:
    inside = [*buildah, "run", "--isolation", "chroot", container, "--"]
    assert re.fullmatch(r"reconciler \d+\.\d+\.\d+\S*", run(*inside, "reconciler", "--version"))
