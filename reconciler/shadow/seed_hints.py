"""The constants in a condition: what a person wrote into a CHECK says which values it lets through.

Looks at text only and understands no SQL beyond string and number constants. Everything found is a guess that the server
judges later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from reconciler.shadow import seed_patterns

_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_NUMERIC = re.compile(r"\s*-?\d+(?:\.\d+)?\s*\Z")
_REGEX = re.compile(r"[\[\]\\^$*+?{}()|.]")
_MOST = 40


@dataclass(frozen=True, slots=True)
class Hints:
    """`texts` are string constants and elements of array constants, `numbers` numbers, also those inside strings. `weak`
    are texts from the bodies of functions, which seldom are values. True when there is a condition to please at all;
    `spread` asks for that many plain guesses, where only their hash decides. `canary` is what plain texts begin with.
    """

    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    wanted: bool = False
    spread: int = 0
    canary: str = ""

    def __bool__(self) -> bool:
        return self.wanted

    @property
    def lengths(self) -> tuple[int, ...]:
        """The numbers that could be a length."""
        return tuple(int(n) for n in self.numbers if n.isdigit() and int(n) <= 300)

    def joined(self, other: Hints) -> Hints:
        """Both, these first."""
        return Hints(
            self.texts + other.texts,
            self.numbers + other.numbers,
            self.weak + other.weak,
            self.wanted or other.wanted,
            max(self.spread, other.spread),
            self.canary or other.canary,
        )

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
    expressions = list(expressions)
    if any("satisfies_hash_partition(" in expression for expression in expressions):
        # its constants are an OID, a modulus and a remainder (manual: Table Partitioning): nothing that is a value
        others = [e for e in expressions if "satisfies_hash_partition(" not in e]
        return replace(mined(others, bodies), wanted=True, spread=_MOST)
    texts, numbers = _constants(expressions)
    weak, more = _constants(bodies)
    return Hints(tuple(texts)[:_MOST], tuple(numbers | more)[:_MOST], tuple(weak)[:_MOST], bool(expressions))


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


def mentions(expression: str, name: str) -> bool:
    """Whether a name occurs as a word. May say yes too often (it is also the name of a function): never too rarely."""
    quoted = '"' + name.replace('"', '""') + '"'
    at = expression.find(name)
    while at >= 0:
        before, after = expression[at - 1 : at], expression[at + len(name) : at + len(name) + 1]
        if not (before.isalnum() or before in ("_", "$")) and not (after.isalnum() or after in ("_", "$")):
            return True
        at = expression.find(name, at + 1)
    return quoted in expression


def equations(expression: str) -> list[tuple[str, str]]:
    """(column, expression) for every `column = expression` that a condition demands outright, read either way round."""
    found = []
    for part in _conjuncts(expression):
        sides = _split(part, " = ")
        if len(sides) == 2:
            for name, value in (sides, sides[::-1]):
                bare = _COLUMN.match(_unwrapped(name))
                if bare:
                    found.append(((bare.group(1) or "").replace('""', '"') or bare.group(2), value))
    return found


_COLUMN = re.compile(r'\(?(?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_$]*))\)?(?:::[\w .()"]+)?\Z')


def _conjuncts(expression: str) -> list[str]:
    parts = _split(_unwrapped(expression), " AND ")
    return [_unwrapped(expression)] if len(parts) == 1 else [c for part in parts for c in _conjuncts(part)]


def _split(text: str, by: str) -> list[str]:
    """At the separators outside of parentheses and strings."""
    found, start, depth, quoted = [], 0, 0, False
    for i, c in enumerate(text):
        if c == "'":
            quoted = not quoted
        elif not quoted:
            depth += (c in "([") - (c in ")]")
            if not depth and text.startswith(by, i):
                found.append(text[start:i])
                start = i + len(by)
    return [*found, text[start:]]


def _unwrapped(text: str) -> str:
    """Without the parentheses around the whole."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes_last(text):
        text = text[1:-1].strip()
    return text


def _closes_last(text: str) -> bool:
    depth, quoted = 0, False
    for i, c in enumerate(text):
        quoted ^= c == "'"
        if not quoted:
            depth += (c == "(") - (c == ")")
            if not depth:
                return i == len(text) - 1
    return False
