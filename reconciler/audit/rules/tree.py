"""Expressions and queries as PostgreSQL stores them: the text of a `pg_node_tree`, read into nodes.

What the server parsed and resolved needs no parser of ours: names are OIDs and column numbers there, whatever the search path was.
The format is that of the server's `outfuncs.c` and `read.c`, the same in 14 to 18 but for the names of a few nodes, which are
given their newest one here. Promises a tree for whatever the server wrote; never evaluates anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Value = Any
"""A node, a list of values, a word, or None for `<>`."""

_TOKEN = re.compile(r"[(){}]|(?:\\.|[^\\\s(){}])+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_RENAMED = {
    "RTE": "RANGETBLENTRY",
    "COALESCE": "COALESCEEXPR",
    "CASE": "CASEEXPR",
    "WHEN": "CASEWHEN",
    "ARRAY": "ARRAYEXPR",
    "MINMAX": "MINMAXEXPR",
    "ROW": "ROWEXPR",
}
"""What the server called nodes before 16, and what it calls them since."""


@dataclass(frozen=True, eq=False)
class Node:
    """One node: its kind in capitals, and its fields by name. Equal to itself alone: two places are two nodes."""

    kind: str
    fields: Mapping[str, Value]

    @cached_property
    def below(self) -> tuple[tuple[Node, int], ...]:
        """Every node below this one and itself, with the number of queries around it: what `varlevelsup` counts back from."""
        return tuple(_walk(self, 0))

    def __getitem__(self, name: str) -> Value:
        return self.fields.get(name)

    def number(self, name: str) -> int:
        """A field that holds a number; 0 when it is not there."""
        value = self.fields.get(name)
        return int(value) if isinstance(value, str) and value.lstrip("-").isdecimal() else 0

    def nodes(self, name: str) -> tuple[Node, ...]:
        """The nodes of a field that holds one or a list of them."""
        value = self.fields.get(name)
        values = value if isinstance(value, list) else [value]
        return tuple(one for one in values if isinstance(one, Node))

    @property
    def text(self) -> str | None:
        """What a constant of a type like text holds, bytes of UTF-8 behind four of length; None for NULL and for other nodes."""
        data = self._bytes()
        return data[4:].decode("utf-8", "replace") if data is not None and len(data) >= 4 else None

    @property
    def truth(self) -> bool | None:
        """What a boolean constant holds; None for NULL and for other nodes."""
        if self.kind != "CONST" or self["consttype"] != "16":
            return None
        data = self._bytes()
        return None if not data else data[0] != 0

    def _bytes(self) -> bytes | None:
        value = self.fields.get("constvalue")
        if self.kind != "CONST" or not isinstance(value, list):
            return None
        # 15 [ 60 0 0 0 97 … ]: the length, then signed bytes between brackets
        return bytes(int(word) & 255 for word in value[2:-1])


def read(text: str) -> Value:
    """The tree behind the text of a pg_node_tree column."""
    return _value(_Words(text))


class _Words:
    __slots__ = ("_found", "_next")

    def __init__(self, text: str) -> None:
        self._found = _TOKEN.findall(text)
        self._next = 0

    def peek(self) -> str:
        return self._found[self._next] if self._next < len(self._found) else ""

    def take(self) -> str:
        word = self.peek()
        self._next += 1
        return word


def _value(words: _Words) -> Value:
    word = words.take()
    if word == "{":
        return _node(words)
    if word == "(":
        return _list(words)
    if word == "<>":
        return None
    if len(word) > 1 and word[0] == word[-1] == '"':
        word = word[1:-1]
    return _ESCAPED.sub(r"\1", word)


def _list(words: _Words) -> list[Value]:
    found = []
    while words.peek() not in (")", ""):
        found.append(_value(words))
    words.take()
    return found


def _node(words: _Words) -> Node:
    kind = words.take()
    fields: dict[str, Value] = {}
    while words.peek() not in ("}", ""):
        name = words.take().removeprefix(":")
        values = []
        while not words.peek().startswith(":") and words.peek() not in ("}", ""):
            values.append(_value(words))
        fields[name] = values[0] if len(values) == 1 else values
    words.take()
    return Node(_RENAMED.get(kind, kind), fields)


def walk(node: Node) -> tuple[tuple[Node, int], ...]:
    """Every node of a tree, with the number of queries around it."""
    return node.below


def _walk(value: Value, depth: int) -> Iterator[tuple[Node, int]]:
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, depth)
    elif isinstance(value, Node):
        yield value, depth
        inner = depth + 1 if value.kind == "QUERY" else depth
        for one in value.fields.values():
            if isinstance(one, Node | list):
                yield from _walk(one, inner)
