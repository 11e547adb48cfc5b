"""Texts that match a regular expression or a LIKE pattern, made from the pattern itself.

Knows what people write in checks: literals, classes, quantifiers, groups, alternatives, escapes (manual: POSIX Regular
Expressions). Not the judge: the server checks every text that comes out, so an exotic pattern costs a candidate at most.
"""

from __future__ import annotations

from dataclasses import dataclass

_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_WORD = _LOWER + _DIGITS + _LOWER.upper() + "_"
_ANY = _LOWER + _DIGITS + _LOWER.upper() + "-_. @/:,;+#!?%&*=()[]{}<>'\"\\|~^$"
_CLASSES = {
    "digit": _DIGITS, "lower": _LOWER, "upper": _LOWER.upper(), "alpha": _LOWER + _LOWER.upper(), "alnum": _WORD[:-1],
    "space": " ", "blank": " ", "punct": "-_.,:;!?", "xdigit": _DIGITS + "abcdef", "word": _WORD,
    "print": _ANY, "graph": _ANY.replace(" ", ""),
}  # fmt: skip
_ESCAPES = {"d": _DIGITS, "w": _WORD, "s": " ", "D": _LOWER, "W": "-", "S": _WORD, "n": "\n", "t": "\t"}
_MOST = 64


@dataclass(slots=True)
class _Unreadable(Exception):
    """The pattern uses what this module does not know."""

    what: str


@dataclass(frozen=True, slots=True)
class _Set:
    chars: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Either:
    ways: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    what: _Node
    least: int
    most: int


_Node = _Set | _Sequence | _Either | _Repeat


def matching(pattern: str, n: int) -> tuple[str, ...]:
    """Up to three texts that should match a regular expression: short, longer, longest. Another `n`, other texts."""
    try:
        tree, _ = _either(_flagless(pattern), 0, 0)
    except (_Unreadable, IndexError, ValueError):
        return ()
    return tuple(dict.fromkeys(_render(tree, [n], extra)[:1000] for extra in (1, 0, 12)))


def like(pattern: str, n: int) -> tuple[str, ...]:
    """Texts that match a LIKE pattern."""
    found = []
    for filling in (f"row{n}", "", "a", f"row{n}" + "x" * 28):
        text, i = "", 0
        while i < len(pattern):
            if pattern[i] == "\\" and i + 1 < len(pattern):
                i += 1
                text += pattern[i]
            else:
                text += {"%": filling, "_": _WORD[n % 36]}.get(pattern[i], pattern[i])
            i += 1
        found.append(text)
    return tuple(dict.fromkeys(found))


def _flagless(pattern: str) -> str:
    if pattern.startswith("(?") and ")" in pattern and pattern[2 : pattern.index(")")].isalpha():
        return pattern[pattern.index(")") + 1 :]
    return pattern


def _either(pattern: str, at: int, depth: int) -> tuple[_Node, int]:
    ways = []
    while True:
        way, at = _sequence(pattern, at, depth)
        ways.append(way)
        if at >= len(pattern) or pattern[at] != "|":
            return (ways[0] if len(ways) == 1 else _Either(tuple(ways))), at
        at += 1


def _sequence(pattern: str, at: int, depth: int) -> tuple[_Node, int]:
    parts: list[_Node] = []
    while at < len(pattern) and pattern[at] != "|" and not (pattern[at] == ")" and depth):
        part, at = _atom(pattern, at, depth)
        least, most, at = _quantifier(pattern, at)
        parts.append(part if (least, most) == (1, 1) else _Repeat(part, least, most))
    return _Sequence(tuple(parts)), at


def _atom(pattern: str, at: int, depth: int) -> tuple[_Node, int]:
    c = pattern[at]
    if c in "^$":
        return _Sequence(()), at + 1
    if c == ".":
        return _Set(_WORD), at + 1
    if c == "[":
        return _brackets(pattern, at + 1)
    if c == "(":
        looks = pattern.startswith(("(?=", "(?!", "(?<=", "(?<!"), at)
        start = at + 3 if pattern.startswith("(?:", at) or looks else at + 1
        inner, end = _either(pattern, start + (pattern[start - 1] == "<"), depth + 1)
        return (_Sequence(()) if looks else inner), end + 1
    if c == "\\":
        following = pattern[at + 1]
        if following in "mMyYAZ":
            return _Sequence(()), at + 2
        if following.isdigit():
            raise _Unreadable("a back reference")
        return _Set(_ESCAPES.get(following, following)), at + 2
    return _Set(c), at + 1


def _brackets(pattern: str, at: int) -> tuple[_Node, int]:
    negated = pattern[at] == "^"
    at += negated
    chars, first = "", True
    while first or pattern[at] != "]":
        first = False
        if pattern.startswith("[:", at):
            end = pattern.index(":]", at)
            chars += _CLASSES.get(pattern[at + 2 : end], "")
            at = end + 2
            continue
        if pattern[at] == "\\":
            chars += _ESCAPES.get(pattern[at + 1], pattern[at + 1])
            at += 2
            continue
        if pattern[at + 1] == "-" and pattern[at + 2] != "]":
            low, high = ord(pattern[at]), ord(pattern[at + 2])
            chars += "".join(map(chr, range(low, min(high, low + 255) + 1)))
            at += 3
            continue
        chars += pattern[at]
        at += 1
    if negated:
        chars = "".join(c for c in _ANY if c not in chars)
    if not chars:
        raise _Unreadable("a set without characters")
    # what reads like a word comes first, so that a range such as [!-~] does not begin with signs
    return _Set("".join(sorted(dict.fromkeys(chars), key=lambda c: (c not in _WORD, c == "_")))), at + 1


def _quantifier(pattern: str, at: int) -> tuple[int, int, int]:
    if at >= len(pattern):
        return 1, 1, at
    least, most, end = 1, 1, at
    if pattern[at] in "*+?":
        least, most = {"*": (0, _MOST), "+": (1, _MOST), "?": (0, 1)}[pattern[at]]
        end = at + 1
    elif pattern[at] == "{" and pattern[at + 1 : at + 2].isdigit():
        close = pattern.index("}", at)
        low, comma, high = pattern[at + 1 : close].partition(",")
        least = int(low)
        most = (int(high) if high else max(least, _MOST)) if comma else least
        end = close + 1
    if end > at and end < len(pattern) and pattern[end] == "?":
        end += 1
    return least, most, end


def _render(node: _Node, left: list[int], extra: int) -> str:
    """`left[0]` is a number whose digits choose the characters, so that different numbers give different texts."""
    if isinstance(node, _Set):
        left[0], index = divmod(left[0], len(node.chars))
        return node.chars[index]
    if isinstance(node, _Sequence):
        return "".join(_render(part, left, extra) for part in node.parts)
    if isinstance(node, _Either):
        left[0], index = divmod(left[0], len(node.ways))
        return _render(node.ways[index], left, extra)
    times = min(max(node.least, extra), node.most)
    return "".join(_render(node.what, left, extra) for _ in range(times))
