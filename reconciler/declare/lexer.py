"""SQL text cut into tokens and statements, with exact lines. It knows quotes, not grammar.

Knows what can hide a semicolon (manual: "Lexical Structure"; psql for COPY data and `\\` commands): strings, quoted
names, dollar quotes, nested comments, parentheses, `begin atomic … end`. Promises that every statement's text is
found in the file at its line, unchanged. Raises `Usage` for what never ends and for what only psql understands.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import NamedTuple

from reconciler.errors import Source, Usage

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>--[^\n]*)
      | (?P<block>/\*)
      | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")*")
      | (?P<dollar>\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$)
      | (?P<open>[eE]?'|")
      | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)
      | (?P<number>\$?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<op>::|:=|.)""",
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")
_IGNORED_COMMANDS = ("\\restrict", "\\unrestrict")


class Token(NamedTuple):
    """`kind` is word, name (in double quotes), string, dollar, number, op or comment; `start` its offset in the file."""

    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """A keyword or bare name, folded as PostgreSQL folds it; empty for everything else."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def identifier(self) -> str:
        """The name this token stands for; empty when it is none."""
        return self.text[1:-1].replace('""', '"') if self.kind == "name" else self.word


class Raw(NamedTuple):
    """One statement as it stands in the file: its tokens without comments, the comments before and inside it."""

    sql: str
    start: int
    tokens: list[Token]
    before: list[Token]
    inside: list[Token]
    data: str | None

    def words(self, count: int) -> tuple[str, ...]:
        return tuple(token.word for token in self.tokens[:count])


class Text:
    """A file's text, or a part of it that begins at line `first`; knows the line of every offset."""

    def __init__(self, text: str, file: str, first: int = 1) -> None:
        self.text = text
        self.file = file
        self.first = first
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def line(self, offset: int) -> int:
        return bisect.bisect_left(self._ends, offset) + self.first

    def source(self, offset: int) -> Source:
        return Source(self.file, self.line(offset))


def tokens(text: Text, start: int = 0) -> Iterator[Token]:
    """The tokens from `start`, spaces left out. Raises `Usage` at the opening of a quote or comment without an end."""
    at, whole = start, text.text
    while at < len(whole):
        match = _TOKEN.match(whole, at)
        if match is None:  # cannot happen: the last alternative takes any character
            raise AssertionError(at)
        kind, end = str(match.lastgroup), match.end()
        if kind == "space":
            at = end
            continue
        if kind == "comment":
            _no_hidden_line(text, Token(kind, match.group(), at))
        elif kind == "block":
            kind, end = "comment", _end_of_block(text, at)
        elif kind == "dollar":
            end = whole.find(match.group(), end)
            if end < 0:
                raise Usage(
                    f"the body that {match.group()} opens here has no end", sources=(text.source(at),)
                )
            end += len(match.group())
        elif kind == "open":
            raise Usage(
                f"the quote {match.group()} that opens here is never closed", sources=(text.source(at),)
            )
        token = Token(kind, whole[at:end], at)
        at = end
        yield token


def _no_hidden_line(text: Text, comment: Token) -> None:
    """To PostgreSQL a carriage return ends a `--` comment: what a reader takes for a comment would run."""
    if "\r" in comment.text.rstrip("\r"):
        raise Usage(
            "a carriage return inside this comment ends it for PostgreSQL, and what follows would run",
            hint="write the comment on lines of its own",
            sources=(text.source(comment.start),),
        )


def _end_of_block(text: Text, start: int) -> int:
    depth = 0
    for match in _BLOCK.finditer(text.text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise Usage("the comment that opens here is never closed", sources=(text.source(start),))


def statements(text: Text) -> Iterator[Raw]:
    """The statements of a file in order; empty ones are left out."""
    at = 0
    while True:
        statement, at = _statement(text, at)
        if statement is not None:
            yield statement
        if at >= len(text.text):
            return


def _statement(text: Text, start: int) -> tuple[Raw | None, int]:
    found: list[Token] = []
    before: list[Token] = []
    inside: list[Token] = []
    depth = brackets = atomic = 0
    for token in tokens(text, start):
        kind, value = token.kind, token.text
        if kind == "comment":
            if not found and start and token.start < _end_of_line(text.text, start) - 1:
                _no_hints(text, [token])  # it stands behind the statement before this one
                continue
            (inside if found else before).append(token)
            continue
        if kind == "op":
            if value == ";" and depth <= 0 and not atomic:
                end = token.start + 1
                if not found:
                    _no_hints(text, before)
                    return None, end
                data, after = _copy_data(text, found, end)
                return _raw(text, found, before, inside, data), after
            if value == "\\":
                _psql_command(text, token, found)
                return None, _end_of_line(text.text, token.start)
            depth += (value == "(") - (value == ")")
            brackets += (value == "[") - (value == "]")
            if value == ":" and not brackets:
                _psql_variable(text, token)
        elif kind == "word" and (atomic or found):
            atomic = _atomic(atomic, found, token)
        found.append(token)
    if not found:
        _no_hints(text, before)
        return None, len(text.text)
    return _raw(text, found, before, inside, None), len(text.text)


def _atomic(atomic: int, found: list[Token], token: Token) -> int:
    """How deep in `begin atomic … end` this word leaves us; `case` opens, and every `end` closes (manual: CREATE FUNCTION)."""
    word = token.word
    if not atomic:
        return 1 if word == "atomic" and found[-1].word == "begin" and found[0].word == "create" else 0
    if word in ("case", "end") and found[-1].text != ".":
        return atomic + (1 if word == "case" else -1)
    return atomic


def _raw(text: Text, found: list[Token], before: list[Token], inside: list[Token], data: str | None) -> Raw:
    first, last = found[0], found[-1]
    end = last.start + len(last.text)
    return Raw(text.text[first.start : end], first.start, found, before, inside, data)


def _copy_data(text: Text, found: list[Token], end: int) -> tuple[str | None, int]:
    """The lines between `copy … from stdin;` and `\\.`, and where the file goes on."""
    words = [token.word for token in found]
    if words[0] != "copy" or "stdin" not in words or words[words.index("stdin") - 1] != "from":
        return None, end
    begin = _end_of_line(text.text, end)
    mark = re.compile(r"^\\\.\r?$", re.MULTILINE).search(text.text, begin)
    if mark is None:
        raise Usage(
            "the data of this COPY has no end: a line with \\. alone", sources=(text.source(found[0].start),)
        )
    return text.text[begin : mark.start()], mark.end()


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _psql_command(text: Text, token: Token, found: list[Token]) -> None:
    line = text.text[token.start : _end_of_line(text.text, token.start)].strip()
    command = line.split()[0] if line.split() else line
    if not found and command in _IGNORED_COMMANDS:
        return
    hint = "leave it out: one file per topic needs no \\i, and the connection is chosen by reconciler"
    if command in ("\\quit", "\\q"):
        hint = "a migration is no declaration: say migrations_dir (--migrations-dir) so that its folder is left out"
    raise Usage(
        f"{command} is a command of psql, not SQL",
        hint=hint,
        sources=(text.source(token.start),),
    )


def _no_hints(text: Text, comments: list[Token]) -> None:
    """Refuses hints where no statement can take them: one that is silently ignored is worse than none."""
    for comment in comments:
        if re.match(r"--\s*reconciler:", comment.text):
            raise Usage(
                "this hint stands behind a statement",
                hint="put it on a line of its own above the statement it is about",
                sources=(text.source(comment.start),),
            )


def _psql_variable(text: Text, token: Token) -> None:
    """`:name`, `:'name'` and `:"name"` are replaced by psql before PostgreSQL sees them; `a[1:n]` is a slice."""
    match = re.compile(r""":['"A-Za-z_]""").match(text.text, token.start)
    if match and text.text[token.start - 1 : token.start] != ":":
        raise Usage(
            "variables of psql (:name) are not supported",
            hint="write the value itself; declarations are the same in every environment",
            sources=(text.source(token.start),),
        )
