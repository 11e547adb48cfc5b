"""The constants in a condition: what a person wrote into a CHECK says which values it lets through.

Looks at text only and understands no SQL beyond string and number constants. Everything found is a guess that the server
judges later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.shadow import seed_patterns

_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_NUMERIC = re.compile(r"\s*-?\d+(?:\.\d+)?\s*\Z")
_REGEX = re.compile(r"[\[\]\\^$*+?{}()|.]")
_MOST = 40


@dataclass(frozen=True, slots=True)
class Hints:
    """`texts` are string constants and elements of array constants, `numbers` numbers, also those inside strings. `weak`
    are texts from the bodies of functions, which seldom are values.
    """

    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.texts or self.numbers or self.weak)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The numbers that could be a length."""
        return tuple(int(n) for n in self.numbers if n.isdigit() and int(n) <= 300)

    def joined(self, other: Hints) -> Hints:
        return Hints(self.texts + other.texts, self.numbers + other.numbers, self.weak + other.weak)

    @staticmethod
    def patterned(texts: Iterable[str], n: int) -> tuple[str, ...]:
        """Texts made from those constants that read like patterns."""
        found: list[str] = []
        for text in texts:
            if text.startswith("^") or text.endswith("$") or re.search(r"[\[\\][\w^]|\)[*+?]|\.[*+]", text):
                found += seed_patterns.matching(text, n)
            elif _REGEX.search(text):
                found += seed_patterns.matching(text, n)[:1]
            if "%" in text or "_" in text:
                found += seed_patterns.like(text, n)
                found += seed_patterns.matching(text.replace("%", ".*").replace("_", "."), n)[:2]
        return tuple(dict.fromkeys(found))


def mined(expressions: Iterable[str], bodies: Iterable[str] = ()) -> Hints:
    """The constants of some expressions and of the functions they call, each once, in the order of their appearance."""
    texts, numbers = _constants(expressions)
    weak, more = _constants(bodies)
    return Hints(tuple(texts)[:_MOST], tuple(numbers | more)[:_MOST], tuple(weak)[:_MOST])


def _constants(expressions: Iterable[str]) -> tuple[dict[str, None], dict[str, None]]:
    texts: dict[str, None] = {}
    numbers: dict[str, None] = {}
    for expression in expressions:
        for match in _STRING.finditer(expression):
            text = match.group(1).replace("''", "'")
            if _NUMERIC.match(text):
                numbers[text.strip()] = None
            if text.startswith("{") and text.endswith("}"):
                texts |= dict.fromkeys(_elements(text[1:-1]))
            texts[text] = None
        numbers |= dict.fromkeys(_NUMBER.findall(_STRING.sub("''", expression)))
    return texts, numbers


def _elements(body: str) -> list[str]:
    """What stands between the braces of a flat array constant."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,"]+)', body)
    return [re.sub(r"\\(.)", r"\1", quoted) if quoted else bare.strip() for quoted, bare in found]
