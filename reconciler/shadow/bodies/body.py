"""What the text of a function says it does: tables read and written, errors raised and caught, NEW assigned.

Promises that what it cannot read (C, other languages, a text that is not what it knows) is `unreadable` with the reason, and that what
is only known at run time (EXECUTE) is listed as `dynamic`. Never runs anything; a text is a hint, only a measurement shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.declare.lexer import Token
from reconciler.shadow.bodies.steps import Frame, Step, Unreadable, lexed, plpgsql, sql
from reconciler.shadow.bodies.touched import Name, Touch, touched

WRITES = frozenset({"insert", "update", "delete", "merge", "truncate", "copy", "refresh"})


@dataclass(frozen=True, slots=True)
class Use:
    """A statement that touches a table. `step` is the statement, `dynamic` says that its text stood in a constant given to EXECUTE."""

    touch: Touch
    step: Step
    dynamic: bool = False

    @property
    def writes(self) -> bool:
        return self.touch.verb in WRITES


@dataclass(frozen=True, slots=True)
class Raised:
    """A RAISE. `level` is exception unless another one stands there; `again` is the bare RAISE of a handler. `text` is all that is said,
    as it stands there, `options` the words before the equals signs of USING (message, detail, hint, table, …)."""

    level: str
    again: bool
    text: str
    options: frozenset[str]
    step: Step


@dataclass(frozen=True, slots=True)
class Handler:
    """An EXCEPTION handler: its conditions in lower case, the statements in it, and the number of the block it protects."""

    conditions: tuple[str, ...]
    steps: tuple[Step, ...]
    line: int

    @property
    def catches_all(self) -> bool:
        return "others" in self.conditions

    @property
    def raises(self) -> bool:
        return any(step.kind == "raise" and _level(step) == "exception" for step in self.steps)


@dataclass(frozen=True, slots=True)
class Body:
    """One function's text. `assigned` are the columns of NEW that it sets (`*` for all of it), `mentioned` those it reads, `keys` the JSON keys it
    asks for with -> and ->>, `settings` the names given to current_setting."""

    unreadable: str = ""
    steps: tuple[Step, ...] = ()
    uses: tuple[Use, ...] = ()
    dynamic: tuple[Step, ...] = ()
    raised: tuple[Raised, ...] = ()
    handlers: tuple[Handler, ...] = ()
    calls: frozenset[Name] = frozenset()
    assigned: tuple[str, ...] = ()
    mentioned: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    depth_guarded: bool = False
    notifies: bool = False
    source: str = field(default="", repr=False)

    @property
    def writes(self) -> tuple[Use, ...]:
        return tuple(use for use in self.uses if use.writes)

    @property
    def reads(self) -> tuple[Use, ...]:
        return tuple(use for use in self.uses if not use.writes)


def body(language: str, source: str) -> Body:
    """What the text says. `language` is the name of the function's language."""
    if language not in ("plpgsql", "sql"):
        return Body(unreadable=f"it is written in {language}", source=source)
    try:
        steps = plpgsql(source) if language == "plpgsql" else sql(source)
        tokens = lexed(source)
    except Unreadable as why:
        return Body(unreadable=str(why), source=source)
    constants = [(step, text) for step in steps for text in _executed(step)]
    uses = [Use(touch, step) for step in steps for touch in touched(step.tokens)]
    uses += [Use(touch, step, True) for step, text in constants for touch in _touched_text(text)]
    return Body(
        steps=steps,
        uses=tuple(uses),
        dynamic=tuple(step for step in steps if _is_dynamic(step)),
        raised=tuple(_raised(step) for step in steps if step.kind == "raise"),
        handlers=tuple(_handlers(steps)),
        calls=frozenset(_calls(tokens)),
        assigned=tuple(dict.fromkeys(name for step in steps for name in _assigned(step))),
        mentioned=frozenset(_mentioned(tokens)),
        keys=tuple(dict.fromkeys(_keys(tokens))),
        settings=tuple(dict.fromkeys(_settings(tokens))),
        depth_guarded=any(token.word == "pg_trigger_depth" for token in tokens),
        notifies=any(step.kind == "notify" for step in steps)
        or any(token.word == "pg_notify" for token in tokens),
        source=source,
    )


def constant(token: Token) -> str:
    """The text of a string token, empty for other tokens; escapes of E'' strings stay as they are."""
    text = token.text
    if token.kind == "dollar":
        mark = text.index("$", 1) + 1
        return text[mark:-mark]
    if token.kind == "string":
        return text[text.index("'") + 1 : -1].replace("''", "'")
    return ""


def said(tokens: Sequence[Token]) -> str:
    """The tokens as one line."""
    return re.sub(r"\s+([,;)\].])|([(\[.])\s+", r"\1\2", " ".join(token.text for token in tokens))


def _is_dynamic(step: Step) -> bool:
    words = step.words
    return (
        step.kind == "execute"
        or words[:3] == ("return", "query", "execute")
        or (step.kind in ("for", "foreach", "open") and "execute" in words)
    )


def _executed(step: Step) -> Iterator[str]:
    """The constants in a dynamic statement that look like the text of one."""
    if _is_dynamic(step):
        at = step.words.index("execute")
        for token in step.tokens[at + 1 :]:
            if token.word == "using":
                return
            if re.match(
                r"\s*(insert|update|delete|merge|truncate|refresh|copy|with|select)\b", constant(token), re.I
            ):
                yield constant(token)


def _touched_text(text: str) -> tuple[Touch, ...]:
    try:
        found = lexed(re.sub(r"%(\d+\$)?-?\d*[IsL]", " ", text))
    except Unreadable:
        return ()
    return touched(found)


def _level(step: Step) -> str:
    word = step.words[1] if len(step.words) > 1 else ""
    return word if word in ("debug", "log", "info", "notice", "warning") else "exception"


def _raised(step: Step) -> Raised:
    words = step.words
    options = {
        words[at]
        for at in range(words.index("using") + 1 if "using" in words else len(words), len(words) - 1)
        if step.tokens[at + 1].text in ("=", ":=")
    }
    text = " ".join(constant(token) or token.text for token in step.tokens[1:])
    return Raised(_level(step), len(words) == 1, text, frozenset(options), step)


def _handlers(steps: Sequence[Step]) -> Iterator[Handler]:
    """In the order of the text. The first statement of each is its head, so that an empty one is found, too."""
    seen: dict[Frame, list[Step]] = {}
    for step in steps:
        for frame in step.within:
            if frame.kind == "handler":
                seen.setdefault(frame, []).append(step)
    for frame, held in seen.items():
        conditions = tuple(token.word or constant(token) for token in frame.words if token.word != "or")
        yield Handler(conditions, tuple(held[1:]), held[0].line)


def _assigned(step: Step) -> Iterator[str]:
    words = step.words
    if step.kind == "assign" and words[0] == "new":
        yield step.tokens[2].identifier if len(words) > 2 and step.tokens[1].text == "." else "*"
    if step.kind in ("select", "with", "insert", "update", "delete", "execute", "fetch"):
        for at, word in enumerate(words):
            if word == "into" and (at == 0 or words[at - 1] not in ("insert", "merge")):
                yield from _targets(step.tokens[at + 1 :])


def _targets(tokens: Sequence[Token]) -> Iterator[str]:
    """Columns of NEW among the targets of INTO."""
    at = 1 if tokens and tokens[0].word == "strict" else 0
    while at < len(tokens) and tokens[at].identifier:
        dotted = at + 2 < len(tokens) and tokens[at + 1].text == "."
        if tokens[at].word == "new":
            yield tokens[at + 2].identifier if dotted else "*"
        at += 3 if dotted else 1
        if at >= len(tokens) or tokens[at].text != ",":
            return
        at += 1


def _mentioned(tokens: Sequence[Token]) -> Iterator[str]:
    """Columns of NEW and OLD; `*` where the whole row is used, or where a transition table may carry it."""
    for at, token in enumerate(tokens):
        if token.word not in ("new", "old") or (at and tokens[at - 1].text == "."):
            continue
        if at + 2 < len(tokens) and tokens[at + 1].text == ".":
            yield tokens[at + 2].identifier or "*"
        elif at and tokens[at - 1].word != "return":
            yield "*"


def _keys(tokens: Sequence[Token]) -> Iterator[str]:
    """`x -> 'key'` and `x ->> 'key'`: the operator is single characters here."""
    for at in range(2, len(tokens)):
        if tokens[at].kind == "string" and tokens[at - 1].text == ">" and tokens[at - 2].text in ("-", ">"):
            yield constant(tokens[at])


def _settings(tokens: Sequence[Token]) -> Iterator[str]:
    for at in range(len(tokens) - 2):
        if tokens[at].word == "current_setting" and tokens[at + 1].text == "(":
            yield constant(tokens[at + 2])


def _calls(tokens: Sequence[Token]) -> Iterator[Name]:
    for at in range(len(tokens) - 1):
        token = tokens[at]
        if not token.identifier or tokens[at + 1].text != "(":
            continue
        qualified = at >= 2 and tokens[at - 1].text == "." and bool(tokens[at - 2].identifier)
        before = tokens[at - (3 if qualified else 1)].word if at >= (3 if qualified else 1) else ""
        if before not in ("into", "join", "table"):
            yield Name(tokens[at - 2].identifier if qualified else "", token.identifier)
