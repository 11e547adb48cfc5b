"""What the text of a function names: tables and other functions, with their schema or without.

A look at words, not a parser: names that are put together at run time it does not see, and a name of a WITH that is also a
table's it takes for the table. Rules that rest on it say what the text says, no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from reconciler.audit.rules.catalog import Catalog, Function, Relation
from reconciler.pg import ident

_PART = r'(?:"[^"]+"|[a-z_][\w$]*)'
_AFTER = re.compile(
    rf"\b(?:from|join|into|update|using|only|view|concurrently)\s+(?:only\s+)?({_PART}(?:\s*\.\s*{_PART})?)",
    re.IGNORECASE,
)
_CALL = re.compile(rf"(?<![\w.\"$])({_PART})\s*\(", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def plain(body: str) -> str:
    """The text without its comments."""
    return _COMMENT.sub(" ", body)


def tables(catalog: Catalog, function: Function) -> tuple[Relation, ...]:
    """The relations that the text reads or writes, in any schema that is looked at."""
    found = {
        relation.oid: relation
        for schema, name in _named(function)
        for relation in _relations(catalog).get(name, ())
        if schema in ("", relation.id.schema)
    }
    return tuple(sorted(found.values(), key=lambda relation: relation.id))


def pinned(catalog: Catalog, function: Function) -> str:
    """The search_path under which the text means what it seems to mean: empty where every name has its schema, None of the caller's
    in any case."""
    schemas = {
        relation.id.schema
        for schema, name in _named(function)
        if not schema
        for relation in _relations(catalog).get(name, ())
    }
    words = {_bare(word) for word in _CALL.findall(plain(function.body))}
    schemas |= {other.id.schema for other in catalog.own_functions() if other.id.name in words}
    return ", ".join([*(ident(schema) for schema in sorted(schemas)), "pg_temp"]) if schemas else "''"


def _named(function: Function) -> Iterator[tuple[str, str]]:
    if function.language in ("sql", "plpgsql"):
        for word in _AFTER.findall(plain(function.body)):
            parts = [_bare(part) for part in re.findall(_PART, word, re.IGNORECASE)]
            yield ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def _bare(word: str) -> str:
    return word[1:-1] if word.startswith('"') else word.lower()


@lru_cache(maxsize=8)
def _relations(catalog: Catalog) -> dict[str, tuple[Relation, ...]]:
    found: dict[str, tuple[Relation, ...]] = {}
    for relation in catalog.relations_of("r", "p", "v", "m", "f"):
        found[relation.id.name] = (*found.get(relation.id.name, ()), relation)
    return found
