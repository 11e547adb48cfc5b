"""What a function wants in a JSON document: the places that its text asks for, and whether it wants a list.

Reads texts only. Promises the keys that the text names, with the type that it gives them where it says one; what stands in variables is not
seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Path = tuple[str, ...]
"""The keys that lead to a value, the outermost first."""
_ARROWS = re.compile(r"(?:->>?\s*'[^']+'\s*)+")
_HASHES = re.compile(r"#>>?\s*'\{([^}]*)\}'")
_RECORD = re.compile(
    r"jsonb?_to_record(?:set)?\s*\(.*?\)\s*(?:as\s+)?\w+\s*\(([^)]*)\)", re.IGNORECASE | re.DOTALL
)
_LIST = re.compile(r"jsonb?_(?:array_elements|to_recordset|populate_recordset)\b", re.IGNORECASE)
_BARE = re.compile(r"jsonb?_array_elements_text\b", re.IGNORECASE)
_WITHIN = re.compile(
    r"jsonb?_(?:array_elements\w*|to_recordset)\s*\(\s*[\w.]+\s*->\s*'([^']+)'", re.IGNORECASE
)
_WRITTEN = {
    "int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean", "decimal": "numeric",
    "float4": "real", "float8": "double precision", "varchar": "character varying", "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
}  # fmt: skip
"""Types as bodies write them, and as PostgreSQL names them."""


def paths(body: str) -> Mapping[Path, str]:
    """The places that a text asks for, each with the type that it is cast to or declared with; empty for none."""
    found: dict[Path, str] = {}
    for chain in _ARROWS.finditer(body):
        keys = tuple(re.findall(r"'([^']+)'", chain[0]))
        found.setdefault(keys, _cast(body[chain.end() :]))
    for hashed in _HASHES.finditer(body):
        keys = tuple(key.strip().strip('"') for key in hashed[1].split(","))
        found.setdefault(keys, _cast(body[hashed.end() :]))
    for record in _RECORD.finditer(body):
        for column in record[1].split(","):
            name, _, type_ = column.strip().partition(" ")
            found.setdefault((name.strip('"'),), _plain(type_.strip()))
    return found


def shapes(body: str, inner: object) -> Iterator[object]:
    """The documents that `inner` may have to stand in: alone, in a list, in a list under a key."""
    if _LIST.search(body) or _BARE.search(body):
        for within in dict.fromkeys(_WITHIN.findall(body)):
            yield {**inner, within: [inner]} if isinstance(inner, dict) else {within: [inner]}
        yield [inner]
    if isinstance(inner, dict):
        yield inner


def listed(body: str) -> bool:
    """Whether it wants a list of bare values."""
    return _BARE.search(body) is not None


def nested(values: Mapping[Path, str | None]) -> dict[str, object]:
    """One document with all of them in their places."""
    made: dict[str, object] = {}
    for path, value in sorted(values.items()):
        at = made
        for key in path[:-1]:
            inner = at.get(key)
            if not isinstance(inner, dict):
                inner = {}
                at[key] = inner
            at = inner
        at.setdefault(path[-1], value)
    return made


def _cast(rest: str) -> str:
    found = re.match(r"\s*\)*\s*::\s*(\w+)", rest)
    return _plain(found[1]) if found else ""


def _plain(type_: str) -> str:
    return _WRITTEN.get(type_.lower(), type_.lower())
