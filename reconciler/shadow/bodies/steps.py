"""The body of a plpgsql function as simple statements, each with what encloses it.

Knows the grammar of plpgsql's control structures (manual: "PL/pgSQL – SQL Procedural Language") and nothing of expressions or SQL: those
stay tokens. Promises every statement once, in the order of the text. Raises `Unreadable` rather than guess.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from reconciler.declare.lexer import Text, Token, tokens
from reconciler.errors import Usage


class Unreadable(Exception):
    """The text is not what this module knows; the message says where."""


class Frame(NamedTuple):
    """What encloses a statement: a condition (`words` are its tokens), a loop, a block with its number, a handler of that block."""

    kind: Literal["if", "loop", "block", "handler"]
    words: tuple[Token, ...] = ()
    block: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One simple statement, or the head of a compound one (`if`, `loop`, `case`, the `when` of a handler). `kind` is its first word, `assign`
    for assignments. `start` is where in the text another statement can be put before it; -1 where none can (`elsif`, declarations)."""

    kind: str
    tokens: tuple[Token, ...]
    line: int
    within: tuple[Frame, ...] = ()
    start: int = -1

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(token.word for token in self.tokens)


_OPENING = {"(", "["}
_CLOSING = {")", "]"}
_STATEMENTS = frozenset(
    (
        "abort", "alter", "analyze", "assert", "begin", "call", "case", "close", "comment", "commit",
        "continue", "copy", "create", "deallocate", "declare", "delete", "do", "drop", "execute", "exit",
        "explain", "fetch", "for", "foreach", "get", "grant", "if", "import", "insert", "listen", "lock",
        "loop", "merge", "move", "notify", "null", "open", "perform", "prepare", "raise", "refresh",
        "reindex", "release", "reset", "return", "revoke", "rollback", "savepoint", "security", "select",
        "set", "show", "table", "truncate", "unlisten", "update", "vacuum", "values", "while", "with",
    )
)  # fmt: skip


def lexed(source: str) -> tuple[Token, ...]:
    """The tokens of a text without comments. Raises `Unreadable`."""
    try:
        return tuple(token for token in tokens(Text(source, "body")) if token.kind != "comment")
    except Usage as trouble:
        raise Unreadable(str(trouble)) from None


def plpgsql(source: str) -> tuple[Step, ...]:
    """The statements of a plpgsql body. Raises `Unreadable`."""
    reader = _Reader(source)
    return tuple(reader.body())


def sql(source: str) -> tuple[Step, ...]:
    """The statements of an SQL body, be it a string or `begin atomic … end`. Raises `Unreadable`."""
    reader = _Reader(source)
    return tuple(reader.plain())


class _Reader:
    def __init__(self, source: str) -> None:
        self.found = lexed(source)
        self.text = Text(source, "body")
        self.at = 0
        self.blocks = 0

    def body(self) -> Iterator[Step]:
        while self._value() == "#":  # #variable_conflict and its like fill a line
            line = self._line()
            while self.at < len(self.found) and self._line() == line:
                self.at += 1
        yield from self._block(())
        self._skip(";")
        if self.at < len(self.found):
            raise Unreadable(f"line {self._line()}: something stands behind the end of the body")

    def plain(self) -> Iterator[Step]:
        if [token.word for token in self.found[:2]] == ["begin", "atomic"] and self.found[-1].word == "end":
            self.found, self.at = self.found[:-1], 2
        while self.at < len(self.found):
            statement = self._until(())
            self._skip(";")
            if statement:
                yield self._step(statement[0].word, statement, ())

    def _block(self, within: tuple[Frame, ...]) -> Iterator[Step]:
        self._labels()
        if self._word() == "declare":
            self.at += 1
            while self._word() != "begin":
                if self._word() == "declare":
                    self.at += 1
                    continue
                declared = self._until(())
                self._expect(";")
                yield self._step("declare", declared, within)
        self._expect("begin")
        self.blocks += 1
        number = self.blocks
        yield from self._statements((*within, Frame("block", block=number)), ("exception", "end"))
        if self._word() == "exception":
            self.at += 1
            while self._word() == "when":
                self.at += 1
                conditions = self._until(("then",))
                self._expect("then")
                caught = (*within, Frame("handler", conditions, number))
                yield self._step("when", conditions, caught)
                yield from self._statements(caught, ("when", "end"))
        self._end()

    def _statements(self, within: tuple[Frame, ...], stop: Collection[str]) -> Iterator[Step]:
        while self._word() not in stop:
            if self.at >= len(self.found):
                raise Unreadable(f"the text ends where {' or '.join(sorted(stop))} is due")
            if self._value() == ";":
                self.at += 1
                continue
            yield from self._statement(within)

    def _statement(self, within: tuple[Frame, ...]) -> Iterator[Step]:
        start = self.found[self.at].start
        self._labels()
        word = self._word()
        if word in ("begin", "declare"):
            yield from self._block(within)
        elif word == "if":
            yield from self._if(within, start)
        elif word == "case":
            yield from self._case(within, start)
        elif word in ("loop", "while", "for", "foreach"):
            head = self._until(("loop",))
            self._expect("loop")
            yield self._step(word, head, within, start)
            yield from self._statements((*within, Frame("loop", head)), ("end",))
            self._end()
        else:
            whole = self._until(())
            self._expect(";")
            kind = "assign" if word not in _STATEMENTS or _assigns(whole) else word
            yield self._step(kind, whole, within, start)

    def _if(self, within: tuple[Frame, ...], start: int) -> Iterator[Step]:
        passed: tuple[Token, ...] = ()
        while self._word() in ("if", "elsif", "elseif"):
            self.at += 1
            condition = self._until(("then",))
            self._expect("then")
            yield self._step("if", condition, within, -1 if passed else start)
            passed += condition
            yield from self._statements((*within, Frame("if", passed)), ("elsif", "elseif", "else", "end"))
        if self._word() == "else":
            self.at += 1
            yield from self._statements((*within, Frame("if", passed)), ("end",))
        self._end()

    def _case(self, within: tuple[Frame, ...], start: int) -> Iterator[Step]:
        self.at += 1
        passed = self._until(("when",))
        while self._word() == "when":
            self.at += 1
            condition = self._until(("then",))
            self._expect("then")
            yield self._step("case", condition, within, start)
            passed, start = passed + condition, -1
            yield from self._statements((*within, Frame("if", passed)), ("when", "else", "end"))
        if self._word() == "else":
            self.at += 1
            yield from self._statements((*within, Frame("if", passed)), ("end",))
        self._end()

    def _end(self) -> None:
        """`end`, `end if`, `end loop label` and the semicolon, which only the last one of a body may lack."""
        self._expect("end")
        while self.at < len(self.found) and self._value() != ";":
            self.at += 1
        self._skip(";")

    def _labels(self) -> None:
        while [token.text for token in self.found[self.at : self.at + 2]] == ["<", "<"]:
            while self._value() != ">":
                self.at += 1
            self.at += 2

    def _until(self, stop: Collection[str]) -> tuple[Token, ...]:
        """The tokens before the next of these words, or before a semicolon, outside parentheses and CASE expressions."""
        begin, depth, cases = self.at, 0, 0
        while self.at < len(self.found):
            token = self.found[self.at]
            if token.kind == "op":
                depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if depth == 0 and cases == 0 and (token.text == ";" or token.word in stop):
                break
            if token.word == "case":
                cases += 1
            elif token.word == "end" and cases:
                cases -= 1
            self.at += 1
        return self.found[begin : self.at]

    def _step(self, kind: str, held: Sequence[Token], within: tuple[Frame, ...], start: int = -1) -> Step:
        line = self.text.line(held[0].start) if held else self._line()
        return Step(kind, tuple(held), line, within, start)

    def _word(self) -> str:
        return self.found[self.at].word if self.at < len(self.found) else ""

    def _value(self) -> str:
        return self.found[self.at].text if self.at < len(self.found) else ""

    def _line(self) -> int:
        return self.text.line(self.found[min(self.at, len(self.found) - 1)].start) if self.found else 1

    def _skip(self, value: str) -> None:
        if self._value() == value:
            self.at += 1

    def _expect(self, value: str) -> None:
        if self._value().lower() != value:
            raise Unreadable(f"line {self._line()}: {self._value() or 'the end'} stands where {value} is due")
        self.at += 1


def _assigns(whole: Sequence[Token]) -> bool:
    """A variable may be called like a statement."""
    return len(whole) > 1 and whole[1].text in (":=", "=")
