"""Names as a declaration writes them: split at the dot, quoted for SQL.

In YAML a name is written as PostgreSQL stores it, upper case included; a dot separates schema and name, and a part
that itself holds a dot is put in double quotes. Never folds case: that is what SQL does.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from reconciler.declare.lexer import Text, Token, tokens

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def parts(name: str) -> tuple[str, ...]:
    """`billing.invoices` → ("billing", "invoices"). Raises ValueError when it is not a name."""
    found: list[str] = []
    at = 0
    while True:
        match = _PART.match(name, at)
        if match is None:
            raise ValueError(f"{name!r} is not a name")
        quoted, bare = match.groups()
        found.append(quoted.replace('""', '"') if quoted is not None else bare.strip())
        at = match.end()
        if at == len(name):
            return tuple(found)
        if name[at] != ".":
            raise ValueError(f"{name!r} is not a name")
        at += 1


def qualified(name: str, schema: str) -> tuple[str, str]:
    """Schema and name, `schema` where the name does not say. Raises ValueError on more than one dot."""
    found = parts(name)
    if len(found) == 1:
        return schema, found[0]
    if len(found) == 2:
        return found[0], found[1]
    raise ValueError(f"{name!r} has too many dots: schema.name is the most a name can say")


def _checked(name: str) -> str:
    qualified(name, "")
    return name


def _checked_signature(key: str) -> str:
    qualified(signature(key)[0], "")
    return key


def _checked_column(name: str) -> str:
    if not 2 <= len(parts(name)) <= 3:
        raise ValueError(f"{name!r} is not a column: table.column or schema.table.column")
    return name


Name = Annotated[str, AfterValidator(_checked)]
"""A name, perhaps with its schema."""
Signature = Annotated[str, AfterValidator(_checked_signature)]
"""A routine's name with its arguments."""
ColumnName = Annotated[str, AfterValidator(_checked_column)]
"""A column with its table."""


def signature(key: str) -> tuple[str, str]:
    """`is_member(p_org uuid)` → ("is_member", "p_org uuid"); without parentheses there are no arguments."""
    name, opening, rest = key.partition("(")
    if opening and not rest.rstrip().endswith(")"):
        raise ValueError(f"{key!r} is not a name with arguments: name(a uuid, b text)")
    return name.strip(), rest.rstrip()[:-1].strip()


def without_defaults(arguments: str) -> str:
    """`a uuid, b text default 'x'` → `a uuid, b text`: what `comment on function` and `grant` accept."""
    return ", ".join(
        arguments[item[0].start : _default(item, arguments)].strip() for item in listed(Text(arguments, ""))
    )


def listed(text: Text) -> list[list[Token]]:
    """The tokens of a list, cut at its commas outside parentheses; comments left out."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens(text):
        if token.kind == "comment":
            continue
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.text == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(token)
    return [item for item in found if item]


def _default(item: list[Token], text: str) -> int:
    for token in item:
        if token.word == "default" or token.text in ("=", ":="):
            return token.start
    return item[-1].start + len(item[-1].text)


_ALIASES = {
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "bool": "boolean",
    "varchar": "character varying",
    "char": "character",
    "decimal": "numeric",
    "float": "double precision",
    "float8": "double precision",
    "float4": "real",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
}
_FIRST_OF_SEVERAL = frozenset(["double", "character", "timestamp", "time", "bit", "national"])


def types(arguments: str) -> str:
    """`p_org uuid, n int default 0` → `(uuid, integer)`, as PostgreSQL prints it; best effort, for places only."""
    found: list[str] = []
    for item in listed(Text(arguments, "")):
        text = arguments[item[0].start : _default(item, arguments)]
        words = re.sub(r"\([^)]*\)", "", text).split()
        if words and words[0].lower() in ("in", "inout", "variadic"):
            words = words[1:]
        elif words and words[0].lower() == "out":
            continue
        if len(words) > 1 and words[0].lower() not in _FIRST_OF_SEVERAL:
            words = words[1:]
        name, brackets, _ = " ".join(words).partition("[")
        name = name if '"' in name else name.lower().strip()
        found.append(_ALIASES.get(name, name) + ("[]" if brackets else ""))
    return f"({', '.join(found)})"
