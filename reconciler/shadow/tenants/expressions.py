"""A small reading of SQL text: which settings and claims it asks for, which functions it calls, what its columns are compared with.

Works on tokens, knows no grammar, and serves expressions as PostgreSQL prints them as well as the bodies of functions. What it says
are guesses of the good kind: a later calibration asks the database whether they hold. Never reads a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      |(?P<string>[eE]?'(?:[^']|'')*'|(?P<tag>\$\w*\$).*?(?P=tag))
      |"(?P<quoted>(?:[^"]|"")+)"
      |(?P<name>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)
      |(?P<number>\d+(?:\.\d+)?)
      |(?P<operator>::|:=|[-+*/<>=~!@\#%^&|`?]+)
      |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is name, string, number, operator or other (punctuation); names are folded, strings without their quotes.

    `quoted` names are never key words.
    """

    kind: str
    text: str
    quoted: bool = False


def tokens(sql: str) -> tuple[Token, ...]:
    """The tokens without comments and space."""
    found: list[Token] = []
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or ""
        text = match.group()
        if match.group("quoted") is not None:
            found.append(Token("name", match.group("quoted").replace('""', '"'), True))
        elif match.group("space") is not None:
            continue
        elif match.group("string") is not None:
            tag = match.group("tag")
            inner = text[len(tag) : -len(tag)] if tag else text[text.index("'") + 1 : -1].replace("''", "'")
            found.append(Token("string", inner))
        elif kind == "name":
            found.append(Token("name", text.lower()))
        else:
            found.append(Token(kind, text))
    return tuple(found)


def calls(found: Sequence[Token]) -> Iterator[tuple[str, str, int]]:
    """(schema or "", name, position of the opening parenthesis) of everything that reads like a call."""
    for i, token in enumerate(found[:-1]):
        if token.kind == "name" and found[i + 1].text == "(" and found[i + 1].kind == "other":
            schema = found[i - 2].text if i > 1 and found[i - 1].text == "." else ""
            yield schema, token.text, i + 1


def closing(found: Sequence[Token], start: int) -> int:
    """Where the parenthesis opened at `start` closes; the end when it never does."""
    depth = 0
    for i in range(start, len(found)):
        if found[i].kind == "other":
            depth += (found[i].text in "([") - (found[i].text in ")]")
            if not depth:
                return i
    return len(found)


def opening(found: Sequence[Token], end: int) -> int:
    """Where the parenthesis closed at `end` opens."""
    depth = 0
    for i in range(end, -1, -1):
        if found[i].kind == "other":
            depth += (found[i].text in ")]") - (found[i].text in "([")
            if not depth:
                return i
    return 0


@dataclass(frozen=True, slots=True)
class Ask:
    """A setting that is read, and where inside it: the keys that lead there when it is JSON, none when it is taken whole."""

    setting: str
    path: tuple[str, ...] = ()


def asks(found: Sequence[Token], documents: dict[tuple[str, str], str]) -> set[Ask]:
    """What is read of the session's settings. `documents` are functions that return a setting as JSON: (schema, name) → setting."""
    chains = _chains(found)
    direct = {i: found[i + 2].text for i in range(len(found) - 2) if _reads_setting(found, i)}
    sources = set(direct.values()) | {
        documents[key] for s, n, _ in calls(found) if (key := _document(documents, s, n)) is not None
    }
    made: set[Ask] = set()
    covered: set[int] = set()
    for start, path in chains:
        setting = ""
        begin = _operand_start(found, start - 1)
        for i in range(begin, start):
            if i in direct:
                setting = direct[i]
                covered.add(i)
            elif found[i].kind == "name" and i + 1 < start and found[i + 1].text == "(":
                schema = found[i - 2].text if i > 1 and found[i - 1].text == "." else ""
                key = _document(documents, schema, found[i].text)
                setting = setting or (documents[key] if key else "")
        if not setting and len(sources) == 1 and begin == start - 1 and found[begin].text in _given(found):
            setting = next(iter(sources))  # a variable that was given the document
        if setting:
            made.add(Ask(setting, path))
    for i, setting in direct.items():
        if i not in covered and not any(a.setting == setting and a.path for a in made):
            made.add(Ask(setting))
    return made


def casts(found: Sequence[Token], documents: dict[tuple[str, str], str]) -> Iterator[tuple[Ask, str]]:
    """What is asked of the session and then cast, with the bare name of the type."""
    for i, token in enumerate(found):
        if token.text == "::" and i:
            names = [t.text for t in found[i + 1 : i + 4 : 2] if t.kind == "name"]
            dotted = i + 2 < len(found) and found[i + 2].text == "."
            for ask in asks(found[_operand_start(found, i - 1) : i], documents):
                yield ask, names[-1] if dotted else names[0]


def _given(found: Sequence[Token]) -> set[str]:
    """Names that are given a value: variables assigned, targets of INTO, columns called by AS."""
    made = set()
    for i, token in enumerate(found):
        if token.kind == "name" and not token.quoted:
            after = [t.text for t in found[i + 1 : i + 5]]
            assigned = (
                ":=" in after[:1]
                or (":=" in after and ";" not in after[: after.index(":=")])
                or "default" in after
            )
            if assigned or (i and found[i - 1].text in ("into", "as")):
                made.add(token.text)
    return made


def _document(documents: dict[tuple[str, str], str], schema: str, name: str) -> tuple[str, str] | None:
    if schema:
        return (schema, name) if (schema, name) in documents else None
    return next((key for key in documents if key[1] == name), None)


def _reads_setting(found: Sequence[Token], i: int) -> bool:
    return found[i].text == "current_setting" and found[i + 1].text == "(" and found[i + 2].kind == "string"


_ARROWS = ("->", "->>", "#>", "#>>")


def _chains(found: Sequence[Token]) -> list[tuple[int, tuple[str, ...]]]:
    """(position of the first arrow, keys) for each chain of JSON arrows."""
    chains: list[tuple[int, tuple[str, ...]]] = []
    used: set[int] = set()
    for i, token in enumerate(found):
        if token.text not in _ARROWS or i in used:
            continue
        start, path = i, []
        while i < len(found) - 1 and found[i].text in _ARROWS and found[i + 1].kind == "string":
            used.add(i)
            key = found[i + 1].text
            path += key.strip("{}").split(",") if found[i].text.startswith("#") else [key]
            i = _after_casts(found, i + 2)
            while i < len(found) and found[i].text == ")":
                i = _after_casts(found, i + 1)
        if path:
            chains.append((start, tuple(p.strip().strip('"') for p in path)))
    return chains


def _after_casts(found: Sequence[Token], i: int) -> int:
    while i + 1 < len(found) and found[i].text == "::":
        i += 2
        while i + 1 < len(found) and found[i].text == "." and found[i + 1].kind == "name":
            i += 2
        while i + 1 < len(found) and found[i].text == "[" and found[i + 1].text == "]":
            i += 2
    return i


def _operand_start(found: Sequence[Token], end: int) -> int:
    """Where the operand that ends at `end` begins: a name with its qualifiers, a constant, a call or a parenthesis, casts included."""
    i = end
    while True:
        if found[i].text == "]" and found[i].kind == "other":
            i = opening(found, i) - 1
            continue
        if found[i].kind == "name" and _cast_before(found, i):
            i = _cast_before(found, i)
            continue
        break
    if i < 0:
        return 0
    if found[i].text == ")" and found[i].kind == "other":
        i = opening(found, i)
        if i > 0 and found[i - 1].kind == "name" and found[i - 1].text not in _WORDS:
            i -= 1
        else:
            return i
    while i > 1 and found[i].kind == "name" and found[i - 1].text == ".":
        i -= 2
    return i


_WORDS = frozenset({"and", "or", "not", "in", "any", "all", "some", "where", "on", "select", "when", "then", "else", "as", "if",
                    "return", "exists", "values", "using", "from", "join", "case", "by", "having"})  # fmt: skip
_ENDS = _WORDS - {"any", "all", "some", "select", "case", "values", "not", "exists"} | {
    "order",
    "group",
    "limit",
    "union",
    "end",
    "loop",
    "into",
}


def _cast_before(found: Sequence[Token], i: int) -> int:
    """The end of the operand that is cast to the type whose name ends at i; 0 when there is no cast."""
    while i > 1 and found[i - 1].text == "." and found[i - 2].kind == "name":
        i -= 2
    for back in (1, 2):  # double precision
        if i - back > 0 and found[i - back].text == "::":
            return i - back - 1
    return 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """`column` (as written: qualifier or "", name) equals, or is among, what the tokens `other` say."""

    column: tuple[str, str]
    other: tuple[Token, ...]


def equalities(found: Sequence[Token]) -> Iterator[tuple[tuple[Token, ...], tuple[Token, ...]]]:
    """Both sides of every equality and membership test, in both directions."""
    for i, token in enumerate(found):
        if token.kind == "operator" and token.text in ("=", "@>", "<@", "&&"):
            start, end = i + 1, _operand_end(found, i + 1)
        elif token.kind == "name" and token.text == "in" and not token.quoted and i + 1 < len(found):
            start, end = i + 1, closing(found, i + 1)
        elif token.kind == "name" and token.text == "from" and found[max(i - 1, 0)].text == "distinct":
            start, end = i + 1, _operand_end(found, i + 1)
            i -= 3 if i > 2 and found[i - 2].text == "not" else 2  # IS [NOT] DISTINCT FROM
        else:
            continue
        before = i - 2 if i > 1 and found[i - 1].text == "not" else i - 1
        if before < 0:
            continue
        left = tuple(found[_operand_start(found, before) : before + 1])
        right = tuple(found[start : end + 1])
        yield left, right
        yield right, left


def comparisons(found: Sequence[Token]) -> Iterator[Comparison]:
    """Every equality and membership test that has a bare column on one side, read from that side."""
    for one, other in equalities(found):
        name = column(one)
        if name is not None:
            yield Comparison(name, other)


def constants(found: Sequence[Token]) -> tuple[str, ...]:
    """The texts, where the tokens are nothing but constants, casts and the words that make lists of them; else none."""
    if any(t.kind == "name" and t.text not in _LISTS for t in found):
        return ()
    return tuple(t.text for t in found if t.kind == "string")


_LISTS = frozenset({"any", "array", "text", "character", "varying", "name", "citext"})


def _operand_end(found: Sequence[Token], start: int) -> int:
    depth = 0
    for i in range(start, len(found)):
        token = found[i]
        if token.kind == "other":
            depth += (token.text in "([") - (token.text in ")]")
            if depth < 0 or (not depth and token.text in ",;"):
                return i - 1
        elif not depth and token.kind == "name" and not token.quoted and token.text in _ENDS:
            return i - 1
    return len(found) - 1


def column(found: Sequence[Token]) -> tuple[str, str] | None:
    """(qualifier or "", name) when the tokens are one column, perhaps in parentheses and cast."""
    found = list(found)
    while found:
        if len(found) > 2 and found[-1].kind == "name" and found[-2].text == "::":
            found = found[:-2]
        elif len(found) > 3 and found[-1].kind == "name" and found[-3].text == "::":
            found = found[:-3]
        elif found[0].text == "(" and closing(found, 0) == len(found) - 1:
            found = found[1:-1]
        else:
            break
    names = [token.text for token in found[::2] if token.kind == "name"]
    dots = [token.text for token in found[1::2]]
    if not names or len(names) != len(found[::2]) or any(dot != "." for dot in dots):
        return None
    if len(names) == 1 and names[0] in (
        "null",
        "true",
        "false",
        "current_user",
        "session_user",
        "current_role",
        "user",
    ):
        return None
    return (names[-2] if len(names) > 1 else "", names[-1])


def sources(found: Sequence[Token]) -> dict[str, tuple[str, str]]:
    """alias → (schema or "", table) of everything that stands after FROM, JOIN, UPDATE, INTO or a comma among those."""
    made: dict[str, tuple[str, str]] = {}
    for i, token in enumerate(found):
        if token.kind != "name" or token.quoted or token.text not in ("from", "join", "update", "into"):
            continue
        j = i + 1
        while j < len(found):
            while j < len(found) and (found[j].text in ("only", "lateral") or found[j].text == "("):
                j += 1
            if j >= len(found) or found[j].kind != "name":
                break
            names = [found[j].text]
            j += 1
            while j + 1 < len(found) and found[j].text == "." and found[j + 1].kind == "name":
                names.append(found[j + 1].text)
                j += 2
            if j < len(found) and found[j].text == "(":
                break  # a function
            table = (names[-2] if len(names) > 1 else "", names[-1])
            if j < len(found) and found[j].text == "as":
                j += 1
            if (
                j < len(found)
                and found[j].kind == "name"
                and (found[j].quoted or found[j].text not in _NO_ALIAS)
            ):
                made[found[j].text] = table
                j += 1
            else:
                made.setdefault(names[-1], table)
            if j < len(found) and found[j].text == "," and token.text == "from":
                j += 1
                continue
            break
    return made


_NO_ALIAS = _ENDS | {"inner", "left", "right", "full", "cross", "natural", "set", "values", "select", "for", "returning", "default",
                     "strict", "on", "with", "offset", "window", "tablesample"}  # fmt: skip
