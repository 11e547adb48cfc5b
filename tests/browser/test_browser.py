"""The pages as a browser shows them: on a phone and a desk, by day and by night, to everybody, and harmless."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import npm
import pytest
from sizes import DESK, PHONE
from statuses import EVIL

pytestmark = pytest.mark.browser

Look = Callable[..., Any]
PAGES = ("/", "/databases/good", "/databases/bad", "/databases/new", "/databases/gone")
SIZES = {"phone": PHONE, "desk": DESK}


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility engine axe-core, from npm."""
    if npm.npm() is None:
        reason = "axe-core comes from npm, which is not installed"
        if "axe" in os.environ.get("RECONCILER_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    return (npm.unpacked("axe-core", 4, "axe-core") / "axe.min.js").read_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
def test_everybody_can_read_it(look: Look, axe: str, path: str, size: str, dark: bool) -> None:
    name = f"{path.strip('/').replace('/', '-') or 'index'}-{size}-{'dark' if dark else 'light'}"
    page = look(path, SIZES[size], dark=dark, name=name)
    page.execute_script(axe)
    answer: dict[str, Any] = page.execute_async_script(
        "const done = arguments[0]; axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(done)"
    )
    broken = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in answer["violations"]]
    assert broken == []
    assert len(answer["passes"]) > 10  # it did look


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_never_scrolls_sideways(look: Look, path: str) -> None:
    page = look(path, PHONE)
    wide, shown = page.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= shown == PHONE[0]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_refused_and_nothing_comes_from_elsewhere(look: Look, origin: str, path: str) -> None:
    """A message of the console would be a style or a script that the page's own policy forbids."""
    page = look(path)
    assert page.get_log("browser") == []
    fetched = page.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert fetched == [f"{origin}/style.css"]


def test_names_from_the_database_are_text(look: Look) -> None:
    page = look("/databases/bad")
    assert page.execute_script("return document.scripts.length") == 0
    assert EVIL in page.find_element("tag name", "main").text


@pytest.mark.parametrize("path", PAGES)
def test_it_is_the_same_without_javascript(look: Look, path: str) -> None:
    with_script = look(path).find_element("tag name", "main").text
    without = look(path, script=False).find_element("tag name", "main").text
    assert with_script == without != ""


def test_the_worst_database_is_what_one_sees_first(look: Look) -> None:
    page = look("/", PHONE)
    first = page.find_element("css selector", "main li a")
    assert first.text == "bad" and first.rect["y"] < PHONE[1] / 2
    first.click()
    assert page.current_url.endswith("/databases/bad")


def test_a_difference_can_be_closed_by_the_keyboard(look: Look) -> None:
    page = look("/databases/bad")
    summary = page.find_element("css selector", "details[open] summary")
    summary.send_keys("\n")
    assert page.execute_script("return arguments[0].parentElement.open", summary) is False


def test_by_night_it_is_dark(look: Look) -> None:
    def brightness() -> float:
        page = look("/", dark=dark)
        colour = page.find_element("tag name", "body").value_of_css_property("background-color")
        return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) / 3

    dark = False
    day = brightness()
    dark = True
    assert day > 200 > 60 > brightness()
