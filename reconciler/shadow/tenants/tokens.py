"""SQL text as tokens, and where an operand begins and ends among them.

Knows no grammar: enough to find the two sides of a comparison in what PostgreSQL prints and in the bodies of functions.
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


def after_casts(found: Sequence[Token], i: int) -> int:
    """The position behind the casts that stand at i."""
    while i + 1 < len(found) and found[i].text == "::":
        i += 2
        while i + 1 < len(found) and found[i].text == "." and found[i + 1].kind == "name":
            i += 2
        while i + 1 < len(found) and found[i].text == "[" and found[i + 1].text == "]":
            i += 2
    return i


def operand_start(found: Sequence[Token], end: int) -> int:
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
ENDS = _WORDS - {"any", "all", "some", "select", "case", "values", "not", "exists"} | {
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


def operand_end(found: Sequence[Token], start: int) -> int:
    """Where the operand that begins at `start` ends: before the next key word, comma or closing parenthesis."""
    depth = 0
    for i in range(start, len(found)):
        token = found[i]
        if token.kind == "other":
            depth += (token.text in "([") - (token.text in ")]")
            if depth < 0 or (not depth and token.text in ",;"):
                return i - 1
        elif not depth and token.kind == "name" and not token.quoted and token.text in ENDS:
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


def constants(found: Sequence[Token]) -> tuple[str, ...]:
    """The texts, where the tokens are nothing but constants, casts and the words that make lists of them; else none."""
    if any(t.kind == "name" and t.text not in _LISTS for t in found):
        return ()
    return tuple(t.text for t in found if t.kind == "string")


_LISTS = frozenset({"any", "array", "text", "character", "varying", "name", "citext"})


def mentions(text: str, name: str) -> bool:
    """Whether the name stands in the text as a word, in a comment or a string, too."""
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
