"""What a statement is about, as far as its first words tell: the object it creates and a table's columns.

Best effort by design: it gives places and homes to hints, and the loader's order a good guess. Whatever it does not
recognise is simply not placed; PostgreSQL alone decides what a statement means.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.declare import names
from reconciler.declare.lexer import Raw, Token
from reconciler.model import ObjectId

_MODIFIERS = frozenset(
    [
        "or",
        "replace",
        "temp",
        "temporary",
        "global",
        "local",
        "unlogged",
        "constraint",
        "recursive",
        "unique",
        "event",
        "foreign",
        "materialized",
        "procedural",
        "trusted",
        "default",
    ]
)
_KINDS = frozenset(
    [
        "table",
        "view",
        "index",
        "sequence",
        "function",
        "procedure",
        "aggregate",
        "type",
        "domain",
        "schema",
        "extension",
        "trigger",
        "policy",
        "rule",
        "statistics",
        "publication",
        "collation",
        "conversion",
        "server",
        "language",
        "subscription",
    ]
)
_LONG_KINDS = {
    ("foreign", "data", "wrapper"): "foreign_data_wrapper",
    ("text", "search", "parser"): "text_search_parser",
    ("text", "search", "template"): "text_search_template",
    ("text", "search", "dictionary"): "text_search_dictionary",
    ("text", "search", "configuration"): "text_search_configuration",
    ("operator", "class"): "operator_class",
    ("operator", "family"): "operator_family",
}
_OUTSIDE = frozenset(
    ["schema", "extension", "publication", "server", "language", "subscription", "foreign_data_wrapper"]
)
_TABLE_WORDS = frozenset(["constraint", "primary", "unique", "check", "foreign", "exclude", "like"])


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a `create table`: its name and where its definition begins and ends among the tokens. What stands in its place
    as `constraint NAME …` has that name as `constraint` and no other."""

    name: str
    first: int
    last: int
    constraint: str = ""


def subject(statement: Raw, schema: str) -> ObjectId | None:
    """The object that a `create` statement makes, names without a schema being in `schema`; None when unknown."""
    tokens = statement.tokens
    if tokens[0].word != "create":
        return None
    at, modifiers = 1, set()
    while at < len(tokens) and tokens[at].word in _MODIFIERS:
        modifiers.add(tokens[at].word)
        at += 1
    kind, at = _kind(tokens, at)
    if not kind:
        return None
    at = _after(tokens, at, ("concurrently",), ("if", "not", "exists"))
    if modifiers & {"temp", "temporary"}:
        return None
    if kind in ("trigger", "policy", "rule"):
        return _part(tokens, at, "event_trigger" if "event" in modifiers else kind, schema)
    if kind == "index":
        return _index(tokens, at, schema)
    name, end = name_at(tokens, at)
    if not name:
        return None
    if kind in _OUTSIDE:
        return ObjectId(kind, "", name[-1])
    if kind == "type":
        enum = [token.word for token in tokens[end : end + 2]] == ["as", "enum"]
        kind = "enum" if enum else "composite"
        if [token.word for token in tokens[end : end + 2]] == ["as", "range"]:
            kind = "range"
    if kind == "table" and "foreign" in modifiers:
        kind = "foreign_table"
    if kind == "view" and "materialized" in modifiers:
        kind = "materialized_view"
    part = _arguments(statement, end) if kind in ("function", "procedure", "aggregate") else ""
    if kind in ("operator_class", "operator_family"):
        using = next((n for n, token in enumerate(tokens) if token.word == "using"), len(tokens) - 2)
        part = tokens[using + 1].identifier
    return ObjectId(kind, name[-2] if len(name) > 1 else schema, name[-1], part)


def _kind(tokens: list[Token], at: int) -> tuple[str, int]:
    """The kind that the words from `at` name, and the token after them. `foreign` may have been taken for a modifier."""
    for words, kind in _LONG_KINDS.items():
        for start in (at, at - 1):
            if tuple(token.word for token in tokens[start : start + len(words)]) == words:
                return kind, start + len(words)
    if at < len(tokens) and tokens[at].word in _KINDS:
        return tokens[at].word, at + 1
    return "", at


def altered(statement: Raw, schema: str) -> ObjectId | None:
    """The column or the named constraint that `alter table … add …` (or `alter domain … add …`) makes, or None."""
    tokens = statement.tokens
    domain = statement.words(2) == ("alter", "domain")
    if statement.words(2) != ("alter", "table") and not domain:
        return None
    name, at = name_at(tokens, _after(tokens, 2, ("if", "exists"), ("only",)))
    if not name or at >= len(tokens) or tokens[at].word != "add":
        return None
    whole = (name[-2] if len(name) > 1 else schema, name[-1])
    at += 1
    if at + 1 < len(tokens) and tokens[at].word == "constraint":
        part = tokens[at + 1].identifier
        return ObjectId("domain_constraint" if domain else "constraint", *whole, part) if part else None
    at = _after(tokens, at, ("column",), ("if", "not", "exists"))
    if domain or at >= len(tokens) or tokens[at].word in _TABLE_WORDS or not tokens[at].identifier:
        return None
    return ObjectId("column", *whole, tokens[at].identifier)


def columns(statement: Raw) -> list[Column]:
    """The columns of a `create table (…)`; what is no column (constraints, `like`) has an empty name."""
    tokens = statement.tokens
    start = next((n for n, token in enumerate(tokens) if token.text == "("), len(tokens))
    found: list[Column] = []
    depth, first = 0, start + 1
    for number in range(start, len(tokens)):
        text = tokens[number].text
        depth += (text in ("(", "[")) - (text in (")", "]"))
        if (text == "," and depth == 1) or depth == 0:
            if first < number:
                token = tokens[first]
                name = "" if token.word in _TABLE_WORDS else token.identifier
                named = token.word == "constraint" and first + 1 < number
                found.append(Column(name, first, number, tokens[first + 1].identifier if named else ""))
            first = number + 1
            if depth == 0:
                break
    return found


def name_at(tokens: list[Token], at: int) -> tuple[tuple[str, ...], int]:
    """The name that begins at token `at`, in its parts, and the token after it; empty when there is none."""
    name: list[str] = []
    while at < len(tokens) and tokens[at].identifier:
        name.append(tokens[at].identifier)
        at += 1
        if at >= len(tokens) or tokens[at].text != ".":
            break
        at += 1
    return tuple(name), at


def new_search_path(statement: Raw) -> str:
    """The first schema of a `set search_path` (or of pg_dump's set_config for it); empty when it is none."""
    tokens = statement.tokens
    words = [token.word for token in tokens[:4]]
    if words[0] == "select":
        for name, setting, value in zip(tokens, tokens[2:], tokens[4:], strict=False):
            if name.identifier == "set_config" and setting.text == "'search_path'":
                return value.text.strip("'").split(",")[0].strip()
    if words[0] == "set":
        at = 2 if words[1:2] and words[1] in ("local", "session") else 1
        if at + 2 < len(tokens) and tokens[at].word == "search_path":
            value = tokens[at + 2]
            return value.identifier or value.text.strip("'").split(",")[0].strip()
    return ""


def _after(tokens: list[Token], at: int, *optional: tuple[str, ...]) -> int:
    for words in optional:
        if tuple(token.word for token in tokens[at : at + len(words)]) == words:
            at += len(words)
    return at


def _part(tokens: list[Token], at: int, kind: str, schema: str) -> ObjectId | None:
    name, at = name_at(tokens, at)
    if kind == "event_trigger":
        return ObjectId(kind, "", name[-1]) if name else None
    word = "to" if kind == "rule" else "on"
    while at < len(tokens) and tokens[at].word != word:
        at += 1
    table, _ = name_at(tokens, _after(tokens, at + 1, ("only",)))
    if not name or not table:
        return None
    return ObjectId(kind, table[-2] if len(table) > 1 else schema, table[-1], name[-1])


def _index(tokens: list[Token], at: int, schema: str) -> ObjectId | None:
    if at < len(tokens) and tokens[at].word == "on":
        return None
    name, at = name_at(tokens, at)
    table, _ = name_at(tokens, _after(tokens, at + 1, ("only",)))
    if not name or not table:
        return None
    return ObjectId("index", table[-2] if len(table) > 1 else schema, name[-1])


def _arguments(statement: Raw, at: int) -> str:
    tokens = statement.tokens
    if at >= len(tokens) or tokens[at].text != "(":
        return "()"
    depth = 0
    for token in tokens[at:]:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            begin = tokens[at].start + 1 - statement.start
            return names.types(statement.sql[begin : token.start - statement.start])
    return "()"
