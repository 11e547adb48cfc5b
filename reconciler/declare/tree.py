"""YAML text to plain Python values that remember their lines.

Knows YAML's own errors: syntax, duplicate keys, unreadable keys, aliases that explode. Promises that every value
carries its path, so that whoever finds it wrong can name file and line. Never interprets a declaration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.errors import Source, Usage

Path = tuple[str | int, ...]

MOST_NODES = 500_000
"""Aliases can make a small file enormous; no declaration comes near this."""


class Tree:
    """One YAML document: its value, and the lines of its keys and of the first line of its values."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.keys: dict[Path, int] = {}
        self.values: dict[Path, int] = {}
        self.models: dict[Path, type] = {}
        self.size = 0
        self.value: Any = None

    def line(self, path: Path) -> int:
        """The line of the key (or list item) at `path`, or of the nearest one around it."""
        return self._nearest(self.keys, path)

    def value_line(self, path: Path) -> int:
        """The line where the text of the value at `path` begins."""
        return self._nearest(self.values, path)

    def source(self, path: Path) -> Source:
        return Source(self.file, self.line(path))

    @staticmethod
    def _nearest(lines: dict[Path, int], path: Path) -> int:
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 1)


class Map(dict[str, Any]):
    """A mapping that knows its tree and path."""

    tree: Tree
    path: Path


class Items(list[Any]):
    """A sequence that knows its tree and path."""

    tree: Tree
    path: Path


class Text(str):
    """A string that knows its tree and path."""

    __slots__ = ("path", "tree")
    tree: Tree
    path: Path


class Real(float):
    """A number with a point, as it was typed: 1.10 is not 1.1 in a default."""

    text: str


def documents(text: str, file: str) -> Iterator[Tree]:
    """The documents of a YAML file, empty ones left out. Raises `Usage` with the line of the fault."""
    try:
        for node in YAML(typ="safe", pure=True).compose_all(text):
            if node is None or (isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
                continue
            tree = Tree(file)
            tree.keys[()] = tree.values[()] = node.start_mark.line + 1
            tree.value = _value(tree, node, ())
            yield tree
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Usage(
            f"this is not YAML: {error.problem or error.context}",
            hint="look at the indentation and the quotes around here; SQL that holds ': ' or ' #' needs quotes or |",
            sources=(Source(file, mark.line + 1 if mark else 1),),
        ) from None
    except YAMLError as error:
        raise Usage(f"this is not YAML: {str(error).splitlines()[0]}", sources=(Source(file, 1),)) from None


def _value(tree: Tree, node: Node, path: Path) -> Any:
    tree.size += 1
    if tree.size > MOST_NODES or len(path) > 100:
        raise Usage("this YAML is too large or too deep: aliases multiply it", sources=(tree.source(path),))
    block = isinstance(node, ScalarNode) and node.style in ("|", ">")
    tree.values[path] = node.start_mark.line + (2 if block else 1)
    tree.keys.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return _mapping(tree, node, path)
    if isinstance(node, SequenceNode):
        items = Items(_value(tree, item, (*path, number)) for number, item in enumerate(node.value))
        items.tree, items.path = tree, path
        return items
    return _scalar(tree, node, path) if isinstance(node, ScalarNode) else None


def _mapping(tree: Tree, node: MappingNode, path: Path) -> Map:
    found = Map()
    found.tree, found.path = tree, path
    inherited: list[Map] = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        if str(key.tag) == "tag:yaml.org,2002:merge":
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                if not isinstance(source, MappingNode):
                    raise Usage("<<: needs a mapping", sources=(Source(tree.file, line),))
                inherited.append(_mapping(tree, source, path))
            continue
        if not isinstance(key, ScalarNode):
            raise Usage("a key must be a plain name", sources=(Source(tree.file, line),))
        name = str(key.value)
        if name in found:
            raise Usage(
                f"{name} is written twice here",
                hint=f"the first one is on line {tree.line((*path, name))}; keep one of them",
                sources=(Source(tree.file, line),),
            )
        tree.keys[(*path, name)] = line
        found[name] = _value(tree, value, (*path, name))
    for other in inherited:
        for name, merged in other.items():
            found.setdefault(name, merged)
    return found


def _scalar(tree: Tree, node: ScalarNode, path: Path) -> Any:
    kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
    text = str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float"):
        try:
            if kind == "int":
                return int(text.replace("_", ""), 0)
            real = Real(text.replace("_", ""))
            real.text = text
            return real
        except ValueError:
            kind = "str"  # 0123 or 1:30: a person reading it sees text
    if kind not in ("str", "timestamp", "value"):
        raise Usage(f"the tag {node.tag} is not supported", sources=(Source(tree.file, tree.line(path)),))
    plain = Text(text)
    plain.tree, plain.path = tree, path
    return plain
