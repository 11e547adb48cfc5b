"""Every error this program raises on purpose.

    ReconcilerError
    ├── Usage      the command line, the configuration or a declaration is wrong before PostgreSQL sees it   (exit 2)
    ├── Stalled    a person must change something; the same input will fail the same way                    (exit 3)
    └── Waiting    it passes by itself: retry later                                                          (exit 4)
        └── OutcomeUnknown   the connection broke while COMMIT was under way: the history knows the answer

Anything else that escapes is a bug (exit 70). A message says what happened, to which object, and what to do
next; it never holds a password (see `reconciler.pg.Secret`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Source:
    """Where in a declaration something was written. `line` counts from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ReconcilerError(Exception):
    """An error with a cause a person can act on.

    `what` is one sentence; `hint` says what to type or change next; `sources` are file:line places.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, hint: str = "", sources: tuple[Source, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.sources = sources

    @property
    def brief(self) -> str:
        """Where and what, for a line of a log."""
        return "".join(f"{source}: " for source in self.sources[:1]) + self.what

    def __str__(self) -> str:
        also = "".join(f"\n  also: {source}" for source in self.sources[1:])
        return f"{self.brief}{also}" + (f"\n  → {self.hint}" if self.hint else "")


class Usage(ReconcilerError):
    """The command line, the configuration or a declaration is invalid before PostgreSQL sees it."""

    exit_code: ClassVar[int] = 2


class Stalled(ReconcilerError):
    """A person must act: a rejected declaration, a refused hazard, a failed rehearsal, an edited migration."""

    exit_code: ClassVar[int] = 3


class Waiting(ReconcilerError):
    """Passes by itself: the server is unreachable, a lock was not acquired, the plan went stale."""

    exit_code: ClassVar[int] = 4


class OutcomeUnknown(Waiting):
    """The connection broke between COMMIT and its answer: reconnect, then look into the history."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What a file system refuses while `path` is written becomes Stalled."""
    try:
        yield
    except OSError as error:
        raise Stalled(
            f"{path} cannot be written: {error.strerror or error}",
            hint="give the user who runs this the right to write there, make room, or name another folder",
        ) from None
