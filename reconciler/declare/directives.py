"""`-- reconciler: …` comments: what an author tells us in an SQL file that SQL has no words for.

    renamed_from OLD      above the `create …` of any object, or on or above the line of a column or of a named constraint
    PART NAME renamed_from OLD
                          above the same statement, for a part of it: value, attribute, constraint or column
    value 'OLD' becomes 'NEW'
                          above `create type … as enum`: what rows get that hold a value which is removed
    fill EXPR             on or above a column's line: its value for rows that exist already (UP)
    down EXPR             on or above a column's line: its value when the migration is undone (DOWN)
    column NAME down EXPR above `create table`: the same for a column that is removed, in rows written without it
    invariant NAME: QUERY above `create trigger`: a query that must return no row
    on_error raise|queue|log
    concurrency SENTENCE
    tenancy SENTENCE
    budget single 10%, bulk 50%
                          above `create trigger`: by how much it may slow down one row, and many by one statement

A comment line that is indented by three spaces or more continues the one above it. Unknown words, and words in a
place where they mean nothing, are refused: a hint that is silently ignored is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from reconciler.declare import shapes
from reconciler.declare.budget import of_words
from reconciler.declare.gathered import Gathered
from reconciler.declare.lexer import Raw, Text, Token, tokens
from reconciler.declare.node import suggestion, together
from reconciler.declare.values import Budget, Invariant, OnError, Rename, TriggerDesign
from reconciler.errors import Source, Usage
from reconciler.model import ObjectId, quoted

_DIRECTIVE = re.compile(r"--\s*reconciler:\s*(\S*)[ \t]*(.*)", re.DOTALL)
_RENAMED = "renamed_from"
_OF_COLUMN = (_RENAMED, "fill", "down")
_OF_TRIGGER = ("invariant", "on_error", "concurrency", "tenancy", "budget")
_PARTS = {
    "value": {"enum": "enum_value"},
    "attribute": {"composite": "attribute"},
    "constraint": {
        "table": "constraint",
        "foreign_table": "constraint",
        "constraint": "constraint",
        "domain": "domain_constraint",
        "domain_constraint": "domain_constraint",
    },
    "column": {"table": "column", "foreign_table": "column"},
}
"""The words that name a part, with the kind of part in each kind of whole."""
_WITHOUT_RENAME = frozenset({"extension"})
_WITH_MORE = ("function", "procedure", "aggregate", "operator_class", "operator_family")
"""Whole objects that have more than a name: arguments, or an access method."""
_ERRORS = get_args(OnError)


@dataclass(frozen=True, slots=True)
class Directive:
    """One `-- reconciler:` comment, with where it stands."""

    word: str
    rest: str
    start: int
    source: Source


def annotate(text: Text, kept: list[Raw], schema: str, found: Gathered) -> None:
    """Adds to `found` where things are declared and what the comments say. Raises `Usage` with every fault."""
    faults: list[Usage] = []
    here = schema
    for statement in kept:
        here = shapes.new_search_path(statement) or here
        try:
            _statement(text, statement, here, found)
        except Usage as fault:
            faults.append(fault)
    if faults:
        raise together(faults)


def _statement(text: Text, statement: Raw, here: str, found: Gathered) -> None:
    above = list(_directives(text, statement.before))
    inside = list(_directives(text, statement.inside))
    id = shapes.subject(statement, here) or shapes.altered(statement, here)
    if id is not None and id.kind not in ("column", "constraint"):
        found.places.setdefault(id, text.source(statement.start))
    if id is not None and id.kind in ("table", "foreign_table"):
        _columns(text, statement, id, inside, found)
        inside = []
    said = []
    for directive in [*above, *inside]:
        if id is not None and directive.word in _PARTS:
            _part(id, directive, found)
        elif id is not None and directive.word == _RENAMED and id.kind not in _WITHOUT_RENAME:
            _renamed(id, directive.rest, directive, found)
        elif id is not None and id.kind == "column" and directive.word in _OF_COLUMN:
            _of_column(id, directive, found)
        elif id is not None and id.kind == "trigger" and directive.word in _OF_TRIGGER:
            said.append(directive)
        else:
            raise _misplaced(directive)
    if id is not None and id.kind == "trigger":
        _design(id, said, text.source(statement.start), found)


def _columns(text: Text, statement: Raw, table: ObjectId, inside: list[Directive], found: Gathered) -> None:
    declared = shapes.columns(statement)
    for column in declared:
        if column.name or column.constraint:
            part, kind = (column.name, "column") if column.name else (column.constraint, "constraint")
            id = ObjectId(kind, table.schema, table.name, part)
            found.places.setdefault(id, text.source(statement.tokens[column.first].start))
    for directive in inside:
        if directive.word in _PARTS:
            _part(table, directive, found)
            continue
        home = _home(text, statement, declared, directive)
        if home is not None and home.constraint and directive.word == _RENAMED:
            id = ObjectId("constraint", table.schema, table.name, home.constraint)
            _renamed(id, directive.rest, directive, found)
        elif home is not None and home.name and directive.word in _OF_COLUMN:
            _of_column(ObjectId("column", table.schema, table.name, home.name), directive, found)
        else:
            raise _misplaced(directive)


def _home(
    text: Text, statement: Raw, declared: list[shapes.Column], directive: Directive
) -> shapes.Column | None:
    """The column or constraint that a comment belongs to: the one written before it on its line, else the next one below."""
    placed = statement.tokens
    before = [column for column in declared if placed[column.first].start < directive.start]
    previous = max(
        (token for token in placed if token.start < directive.start), key=lambda token: token.start
    )
    same_line = text.line(previous.start) == text.line(directive.start)
    if before and (same_line or placed[before[-1].last].start > directive.start):
        return before[-1]
    if same_line or len(before) == len(declared):
        return None
    return declared[len(before)]


def _of_column(column: ObjectId, directive: Directive, found: Gathered) -> None:
    if directive.word == _RENAMED:
        _renamed(column, directive.rest, directive, found)
    elif not directive.rest:
        raise Usage(f"{directive.word} needs a SQL expression after it", sources=(directive.source,))
    elif directive.word == "fill":
        found.fills[column] = directive.rest
    else:
        found.downs[column] = directive.rest


def _part(whole: ObjectId, directive: Directive, found: Gathered) -> None:
    """`value 'paid' renamed_from 'settled'`: a part that has no statement of its own."""
    kind = _PARTS[directive.word].get(whole.kind)
    if kind is None:
        raise _misplaced(directive)
    if kind == "enum_value" and _remapped(whole, directive, found):
        return
    if kind == "column" and _refilled(whole, directive, found):
        return
    new, word, old = _split_rename(directive)
    if not new or not word:
        example = "'new' renamed_from 'old'" if kind == "enum_value" else "new_name renamed_from old_name"
        raise Usage(
            f"{directive.word} needs the name of the part, renamed_from, and its old name",
            hint=f"-- reconciler: {directive.word} {example}",
            sources=(directive.source,),
        )
    _renamed(ObjectId(kind, whole.schema, whole.name, new), old, directive, found)


def _remapped(enum: ObjectId, directive: Directive, found: Gathered) -> bool:
    """`value 'shipped' becomes 'sent'`, for a value that is removed. False when something else is said."""
    placed = _tokens_of(directive.rest, directive)
    if len(placed) != 3 or placed[1].word != "becomes":
        return False
    gone, value = _name_of(placed[0]), _name_of(placed[2])
    found.fills[ObjectId("enum_value", enum.schema, enum.name, gone)] = value
    return True


def _refilled(table: ObjectId, directive: Directive, found: Gathered) -> bool:
    """`column email down 'unknown'`, for a column that is removed. False when something else is said."""
    placed = _tokens_of(directive.rest, directive)
    if len(placed) < 2 or placed[1].word != "down":
        return False
    column = ObjectId("column", table.schema, table.name, _name_of(placed[0]))
    said = Directive(
        "down", directive.rest[placed[1].start + len("down") :].strip(), directive.start, directive.source
    )
    _of_column(column, said, found)
    return True


def _split_rename(directive: Directive) -> tuple[str, bool, str]:
    """(the part's name, whether `renamed_from` follows it, the text after that)."""
    placed = _tokens_of(directive.rest, directive)
    if len(placed) < 2 or placed[1].word != _RENAMED:
        return "", False, ""
    return _name_of(placed[0]), True, directive.rest[placed[1].start + len(_RENAMED) :].strip()


def _name_of(token: Token) -> str:
    """A name, or the text in a string: enum values are written like that."""
    return token.text[1:-1].replace("''", "'") if token.text.startswith("'") else token.identifier


def _renamed(new: ObjectId, said: str, directive: Directive, found: Gathered) -> None:
    written = _tokens_of(said, directive)
    if new.kind == "enum_value":
        name = tuple(_name_of(token) for token in written[:1])
        end = 1
    else:
        name, end = shapes.name_at(written, 0)
    part = bool(new.part) and new.kind not in _WITH_MORE
    if not name or end != len(written) or len(name) > (1 if part or not new.schema else 2):
        old = "'old'" if new.kind == "enum_value" else "old_name"
        before = f"{directive.word} {quoted(new.part)} " if directive.word in _PARTS else ""
        raise Usage(
            "renamed_from needs the old name after it, as SQL writes it",
            hint=f"-- reconciler: {before}renamed_from {old}",
            sources=(directive.source,),
        )
    if part:
        old_id = ObjectId(new.kind, new.schema, new.name, name[-1])
    else:
        old_id = ObjectId(new.kind, name[0] if len(name) > 1 else new.schema, name[-1], new.part)
    found.renames.append(Rename(new.kind, old_id, new, directive.source))


def _design(trigger: ObjectId, said: list[Directive], source: Source, found: Gathered) -> None:
    if not said:
        return
    invariants: list[Invariant] = []
    answers: dict[str, str] = {}
    for directive in said:
        if directive.word == "invariant":
            name, colon, query = directive.rest.partition(":")
            if not colon or not name.strip() or not query.strip():
                raise Usage(
                    "an invariant needs a name and a query that must return no row",
                    hint="-- reconciler: invariant one_per_ein: select ein from companies group by 1 having count(*) > 1",
                    sources=(directive.source,),
                )
            invariants.append(Invariant(name.strip(), query.strip().rstrip(";")))
        else:
            answers[directive.word] = directive.rest
            if directive.word == "on_error" and directive.rest not in _ERRORS:
                near = suggestion(directive.rest, _ERRORS)
                known = ", ".join(_ERRORS)
                raise Usage(
                    f"on_error is one of {known}, not {directive.rest}{near}", sources=(directive.source,)
                )
    on_error = next((word for word in _ERRORS if word == answers.get("on_error")), None)
    design = TriggerDesign(
        trigger,
        tuple(invariants),
        on_error,
        answers.get("concurrency", ""),
        answers.get("tenancy", ""),
        source,
        next((of_words(one.rest, one.source) for one in said if one.word == "budget"), Budget()),
    )
    found.designs.append(design)


def _directives(text: Text, comments: list[Token]) -> Iterator[Directive]:
    joined: list[Token] = []
    end = 0
    for token in comments:
        follows = bool(joined) and not text.text[end : token.start].strip()
        end = token.start + len(token.text)
        if follows and _DIRECTIVE.match(joined[-1].text) and re.match(r"--(   |\t)", token.text):
            longer = joined[-1].text + "\n" + token.text[2:].strip()
            joined[-1] = joined[-1]._replace(text=longer)
        else:
            joined.append(token)
    for token in joined:
        match = _DIRECTIVE.match(token.text)
        if match is None:
            continue
        word, rest = match.group(1).rstrip(":"), match.group(2).strip()
        source = text.source(token.start)
        known = (*_OF_COLUMN, *_OF_TRIGGER, *_PARTS)
        if word not in known:
            raise Usage(
                f"reconciler: {word} is not a hint that is known{suggestion(word, known)}",
                hint=f"the hints are {', '.join(known)}",
                sources=(source,),
            )
        yield Directive(word, rest, token.start, source)


def _misplaced(directive: Directive) -> Usage:
    column = "on or above the line of a column"
    where = {
        _RENAMED: "directly above the create statement of what has the new name, or on or above the line of a column or of a named"
        " constraint",
        "fill": column,
        "down": column,
        "value": "directly above a create type … as enum",
        "attribute": "directly above a create type … as (…)",
        "constraint": "directly above a create table or create domain",
        "column": "directly above a create table",
    }.get(directive.word, "directly above a create trigger")
    return Usage(
        f"reconciler: {directive.word} means nothing here",
        hint=f"it belongs {where}",
        sources=(directive.source,),
    )


def _tokens_of(said: str, directive: Directive) -> list[Token]:
    return list(tokens(Text(said, directive.source.file, directive.source.line)))
