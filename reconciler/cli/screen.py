"""Where a command's words go: results to standard output, everything else to standard error.

Promises that JSON is one document on standard output, that colour appears on terminals only (NO_COLOR is honoured), and that
lines are never broken in a pipe. Decides nothing about what is said.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

FORMAT = 1
"""The version of every JSON document."""


class Screen:
    """The terminal or the pipe a command talks to. `config` is the file given with `--config`."""

    def __init__(
        self, format: str = "text", *, quiet: bool = False, verbose: bool = False, config: Path | None = None
    ) -> None:
        self.format = format
        self.quiet = quiet
        self.verbose = verbose
        self.config = config

    @property
    def is_json(self) -> bool:
        return self.format == "json"

    @property
    def asks(self) -> bool:
        """Whether a person sits in front of it who can answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @cached_property
    def out(self) -> Console:
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        return _console(stderr=True)

    def document(self, content: Mapping[str, Any]) -> None:
        """Writes one JSON document."""
        sys.stdout.write(json.dumps({"format": FORMAT, **content}, indent=2, ensure_ascii=False) + "\n")

    def say(self, *lines: str | Text) -> None:
        """Lines of the result, as text."""
        for line in lines:
            self.out.print(line, soft_wrap=True)

    def say_all(self, lines: Iterable[str | Text]) -> None:
        self.say(*lines)

    def note(self, line: str | Text, *, style: str = "") -> None:
        """A remark beside the result; left out with --quiet."""
        if not self.quiet:
            self.err.print(line, soft_wrap=True, style=style)

    def raw(self, text: str) -> None:
        """Text that another program will read, byte for byte."""
        sys.stdout.write(text)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Tells which stage is under way: a moving line on a terminal, one line each with --verbose, else nothing."""
        if self.quiet or not (self.verbose or sys.stderr.isatty()):
            yield lambda stage: None
        elif self.verbose:
            yield lambda stage: self.err.print(f"… {stage}", soft_wrap=True, style="dim")
        else:
            with self.err.status("…", spinner="dots") as status:
                yield lambda stage: status.update(f"{stage} …")


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)
