"""A YAML file with the place of every key, and with `${VARIABLE}` filled in.

Promises errors with file and line that name variables and keys but never values: the parser's own messages
quote the text around a mistake, which may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reconciler.errors import Source, Usage

Place = tuple[str | int, ...]
"""The way to a value: ("databases", 0, "mode")."""

_VARIABLE = re.compile(r"\$(\$?)\{([^}]*)\}")


@dataclass(slots=True)
class Document:
    """`content` is plain dicts, lists and scalars; `sources` says where each place was written."""

    content: dict[str, Any] = field(default_factory=dict)
    sources: dict[Place, Source] = field(default_factory=dict)

    def source(self, place: Place) -> Source | None:
        """The line of `place`, or of the nearest thing around it."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.sources:
                return self.sources[place[:length]]
        return None


def read_document(file: Path, environ: Mapping[str, str], *, shown: str = "") -> Document:
    """Reads one file, which messages call `shown`. `Usage` when it is missing, no YAML, no mapping, or
    names an unset variable.
    """
    shown = shown or str(file)
    try:
        text = file.read_text()
    except OSError as error:
        raise Usage(
            f"the configuration cannot be read: {shown} ({error.strerror})", hint="name it with --config"
        ) from None
    except UnicodeDecodeError:
        raise Usage(f"the configuration is not UTF-8 text: {shown}", hint="save it as UTF-8") from None
    try:
        parsed = YAML(typ="rt").load(text)
    except YAMLError as error:
        raise _unreadable(shown, error) from None
    document = Document(sources={(): Source(shown, 1)})
    if parsed is None:
        return document
    if not isinstance(parsed, dict):
        raise Usage(
            "the configuration must be a mapping",
            hint="begin with databases:",
            sources=(Source(shown, 1),),
        )
    document.content = _plain(parsed, (), shown, environ, document.sources)
    return document


def _unreadable(shown: str, error: YAMLError) -> Usage:
    problem = error.problem if isinstance(error, MarkedYAMLError) else None
    mark = getattr(error, "problem_mark", None)
    if problem and "could not find expected ':'" in problem:
        # the parser notices at the next line; the line without its colon is where it began to read
        mark = getattr(error, "context_mark", None) or mark
    line = mark.line + 1 if mark is not None else 1
    if isinstance(error, DuplicateKeyError):
        says = "a key is written twice"
    elif problem and not re.search(r"['\"&*!]", problem):
        says = f"this is not YAML: {problem}"
    else:
        says = "this is not YAML"
    return Usage(says, hint="check indentation and quotes around here", sources=(Source(shown, line),))


def _plain(
    node: Any, place: Place, shown: str, environ: Mapping[str, str], sources: dict[Place, Source]
) -> Any:
    if isinstance(node, dict):
        plain = {}
        for key, value in node.items():
            inner = (*place, str(key))
            sources[inner] = Source(shown, node.lc.key(key)[0] + 1)  # type: ignore[attr-defined]
            plain[str(key)] = _plain(value, inner, shown, environ, sources)
        return plain
    if isinstance(node, list):
        items = []
        for index, value in enumerate(node):
            inner = (*place, index)
            sources[inner] = Source(shown, node.lc.item(index)[0] + 1)  # type: ignore[attr-defined]
            items.append(_plain(value, inner, shown, environ, sources))
        return items
    if isinstance(node, str):
        where = next(sources[place[:n]] for n in range(len(place), -1, -1) if place[:n] in sources)
        return expand(str(node), environ, where)
    return node


def expand(text: str, environ: Mapping[str, str], source: Source) -> str:
    """`${NAME}` replaced by the variable's value; `$${NAME}` stands for a literal `${NAME}`."""

    def value(found: re.Match[str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return f"${{{name}}}"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise Usage(
                "between ${ and } must stand the name of a variable",
                sources=(source,),
                hint="like ${DATABASE_URL}",
            )
        if name not in environ:
            raise Usage(
                f"the environment variable {name} is not set", hint=f"export {name}=…", sources=(source,)
            )
        return environ[name]

    return _VARIABLE.sub(value, text)
