"""A statement under construction that remembers, line by line, which line of the YAML it came from."""

from __future__ import annotations

from reconciler.declare.values import DeclaredStatement
from reconciler.errors import Source


class Script:
    """Text with lines. `add` takes SQL of our own making; `quote` takes SQL from the file, whose lines count on."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._text: list[str] = []
        self._lines = [source.line]

    def add(self, text: str, line: int | None = None) -> Script:
        """SQL of our own making. New lines in it point to `line`, or to the statement's own."""
        self._text.append(text)
        self._lines.extend([line or self.source.line] * text.count("\n"))
        return self

    def quote(self, text: str, line: int) -> Script:
        """SQL from the file, which begins on `line` there. The rest of our line then points there too."""
        text = text.rstrip()
        below = text.count("\n")
        self._text.append(text)
        self._lines[-1] = max(line, self._lines[-1])
        self._lines.extend(line + number for number in range(1, below + 1))
        if "--" in text.rsplit("\n", 1)[-1]:
            self.add("\n", line + below)  # a comment must not swallow what follows
        return self

    def statement(self) -> DeclaredStatement:
        return DeclaredStatement("".join(self._text), self.source, lines=tuple(self._lines))
