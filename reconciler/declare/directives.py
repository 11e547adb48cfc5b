"""`-- reconciler: …` comments: what an author tells us in an SQL file that SQL has no words for.

    renamed_from OLD      above `create table`, or on or above a column's line
    fill EXPR             on or above a column's line: its value for rows that exist already (UP)
    down EXPR             on or above a column's line: its value when the migration is undone (DOWN)
    invariant NAME: QUERY above `create trigger`: a query that must return no row
    on_error raise|queue|log
    concurrency SENTENCE
    tenancy SENTENCE

A comment line that is indented by three spaces or more continues the one above it. Unknown words, and words in a
place where they mean nothing, are refused: a hint that is silently ignored is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from reconciler.declare import shapes
from reconciler.declare.gathered import Gathered
from reconciler.declare.lexer import Raw, Text, Token, tokens
from reconciler.declare.node import suggestion, together
from reconciler.declare.values import Invariant, OnError, Rename, TriggerDesign
from reconciler.errors import Source, Usage
from reconciler.model import ObjectId

_DIRECTIVE = re.compile(r"--\s*reconciler:\s*(\S*)[ \t]*(.*)", re.DOTALL)
_OF_COLUMN = ("renamed_from", "fill", "down")
_OF_TRIGGER = ("invariant", "on_error", "concurrency", "tenancy")
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
    id = shapes.subject(statement, here) or shapes.altered_column(statement, here)
    if id is not None and id.kind != "column":
        found.places.setdefault(id, text.source(statement.start))
    if id is not None and id.kind == "table":
        _columns(text, statement, id, inside, found)
        inside = []
    if id is not None and id.kind == "trigger":
        _design(id, [*above, *inside], text.source(statement.start), found)
        return
    for directive in [*above, *inside]:
        if id is not None and id.kind == "column" and directive.word in _OF_COLUMN:
            _of_column(id, directive, found)
        elif id is not None and id.kind == "table" and directive.word == "renamed_from":
            _renamed(id, directive, found)
        else:
            raise _misplaced(directive)


def _columns(text: Text, statement: Raw, table: ObjectId, inside: list[Directive], found: Gathered) -> None:
    declared = shapes.columns(statement)
    for column in declared:
        if column.name:
            id = ObjectId("column", table.schema, table.name, column.name)
            found.places.setdefault(id, text.source(statement.tokens[column.first].start))
    for directive in inside:
        home = _home(text, statement, declared, directive)
        if home is None or directive.word not in _OF_COLUMN:
            raise _misplaced(directive)
        _of_column(ObjectId("column", table.schema, table.name, home), directive, found)


def _home(text: Text, statement: Raw, declared: list[shapes.Column], directive: Directive) -> str | None:
    """The column that a comment belongs to: the one written before it on its line, else the next one below."""
    placed = statement.tokens
    before = [column for column in declared if placed[column.first].start < directive.start]
    previous = max(
        (token for token in placed if token.start < directive.start), key=lambda token: token.start
    )
    same_line = text.line(previous.start) == text.line(directive.start)
    if before and (same_line or placed[before[-1].last].start > directive.start):
        return before[-1].name or None
    if same_line or len(before) == len(declared):
        return None
    return declared[len(before)].name or None


def _of_column(column: ObjectId, directive: Directive, found: Gathered) -> None:
    if directive.word == "renamed_from":
        _renamed(column, directive, found)
    elif not directive.rest:
        raise Usage(f"{directive.word} needs a SQL expression after it", sources=(directive.source,))
    elif directive.word == "fill":
        found.fills[column] = directive.rest
    else:
        found.downs[column] = directive.rest


def _renamed(new: ObjectId, directive: Directive, found: Gathered) -> None:
    old_name = _tokens_of(directive)
    name, end = shapes.name_at(old_name, 0)
    if not name or end != len(old_name) or len(name) > (1 if new.kind == "column" else 2):
        raise Usage(
            "renamed_from needs the old name after it, as SQL writes it",
            hint="-- reconciler: renamed_from old_name",
            sources=(directive.source,),
        )
    if new.kind == "column":
        old = ObjectId("column", new.schema, new.name, name[-1])
    else:
        old = ObjectId(new.kind, name[0] if len(name) > 1 else new.schema, name[-1])
    found.renames.append(Rename(new.kind, old, new, directive.source))


def _design(trigger: ObjectId, said: list[Directive], source: Source, found: Gathered) -> None:
    if not said:
        return
    invariants: list[Invariant] = []
    answers: dict[str, str] = {}
    for directive in said:
        if directive.word not in _OF_TRIGGER:
            raise _misplaced(directive)
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
        known = (*_OF_COLUMN, *_OF_TRIGGER)
        if word not in known:
            raise Usage(
                f"reconciler: {word} is not a hint that is known{suggestion(word, known)}",
                hint=f"the hints are {', '.join(known)}",
                sources=(source,),
            )
        yield Directive(word, rest, token.start, source)


def _misplaced(directive: Directive) -> Usage:
    where = {
        "renamed_from": "directly above a create table, or on or above the line of a column in one",
        "fill": "on or above the line of a column",
        "down": "on or above the line of a column",
    }.get(directive.word, "directly above a create trigger")
    return Usage(
        f"reconciler: {directive.word} means nothing here",
        hint=f"it belongs {where}",
        sources=(directive.source,),
    )


def _tokens_of(directive: Directive) -> list[Token]:
    return list(tokens(Text(directive.rest, directive.source.file, directive.source.line)))
