"""A headless Chromium, and the pages of a daemon that knows four databases.

    pip install '.[browser]'          and Debian's packages chromium and chromium-driver
    pytest -m browser tests/browser [--screenshots DIR]

`RECONCILER_REQUIRE=chromium` turns the skip where the browser is missing into a failure.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from majors import require_program
from sizes import DESK
from statuses import BAD, GONE, GOOD, NEW

from reconciler.settings import Listen
from reconciler.web import Board, Published, serving

Driver = Any


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="keep a picture of every page here")


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """Where the pages are."""
    board = Board(Published((GOOD, BAD, NEW, GONE)))
    with serving(Listen("127.0.0.1", 0), lambda: board.current) as server:
        yield f"http://127.0.0.1:{server.listen.port}"


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """One browser for all tests, without any traffic of its own."""
    require_program("chromium")
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install '.[browser]'")
    options = webdriver.ChromeOptions()
    options.binary_location = require_program("chromium")
    profile = tmp_path_factory.mktemp("profile")
    for switch in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "hide-scrollbars", f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(require_program("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as found:
        found.set_page_load_timeout(20)
        yield found


@pytest.fixture
def look(driver: Driver, origin: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Driver]]:
    """`look("/path", size, dark=True, script=False)`: opens the page that way; nothing of it reaches the next test."""
    folder = request.config.getoption("--screenshots")

    def opened(
        path: str, size: tuple[int, int] = DESK, *, dark: bool = False, script: bool = True, name: str = ""
    ) -> Driver:
        width, height = size
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        driver.get(origin + path)
        if folder and name:
            Path(folder).mkdir(parents=True, exist_ok=True)
            height = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["height"]
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
            picture = driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
            )
            (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
        return driver

    driver.get_log("browser")
    yield opened
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
