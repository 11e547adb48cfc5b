"""Two texts beside each other: complete, aligned where that can be, and quick whatever they are."""

from __future__ import annotations

import random
import time

import pytest

from reconciler.web.sides import attributes, beside


def both(left: str, right: str) -> tuple[list[str], list[str], list[str]]:
    lines = list(beside(left, right))
    olds = [line.left for line in lines if line.mark != "added"]
    news = [line.right for line in lines if line.mark != "removed"]
    return olds, news, [line.mark for line in lines]


def test_nothing_is_lost_and_equal_is_equal() -> None:
    random.seed(5)
    for _ in range(600):
        words = "abcdefgh"[: random.randint(1, 8)]
        old = [random.choice(words) + random.choice(("", "x", str(random.random()))) for _ in range(random.randint(0, 12))]  # fmt: skip
        new = [line for line in old if random.random() < 0.7]
        for _ in range(random.randint(0, 3)):
            new.insert(random.randint(0, len(new)), random.choice(words))
        random.shuffle(new) if random.random() < 0.2 else None
        left, right = "\n".join(old), "\n".join(new)
        olds, news, marks = both(left, right)
        assert olds == left.splitlines() and news == right.splitlines()
        for line in beside(left, right):
            assert (line.mark == "same") == (
                line.left == line.right and line.mark not in ("added", "removed")
            )
        assert ("same" in marks) or not set(olds) & set(news) or marks.count("changed") > 0


def test_an_inserted_line_moves_the_others() -> None:
    body = [f"line {n}" for n in range(50)] + ["end if;"] * 3
    _, _, marks = both("\n".join(body), "\n".join([*body[:20], "new", *body[20:]]))
    assert marks == ["same"] * 20 + ["added"] + ["same"] * 33


def test_lines_that_changed_places_are_shown_at_both() -> None:
    assert both("a\nb\nc", "b\nc\na")[2] == ["removed", "same", "same", "added"]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x\n" * 5_000, "x\ny\n" * 2_500),
        ("x\n" * 100_000, "x\n" * 99_999 + "y\n"),
        ("".join(f"{n % 7}\n" for n in range(20_000)), "".join(f"{n % 5}\n" for n in range(20_000))),
        ("".join(f"{n}\n" for n in range(50_000)), "".join(f"{n}\n" for n in reversed(range(50_000)))),
        ("begin\nend;\n" * 3_000, "begin\n\nend;\n" * 3_000),
    ],
)
def test_no_text_takes_long(left: str, right: str) -> None:
    began = time.monotonic()
    olds, news, _ = both(left, right)
    assert olds == left.splitlines() and news == right.splitlines()
    assert time.monotonic() - began < 30


def test_a_line_at_the_end_of_many_that_are_alike() -> None:
    assert set(both("x\n" * 50_000, "x\n" * 49_999 + "y\n")[2][:-1]) == {"same"}


def test_only_what_differs_is_shown() -> None:
    (one,) = attributes({"a": 1, "b": [1]}, {"a": 1, "b": [2]})
    assert one.name == "b"
    assert attributes(None, {"a": None, "b": ""}) == ()
