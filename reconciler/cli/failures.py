"""From an exception to one message and an exit code.

    0 done · 1 differences, findings, failures · 2 usage · 3 a person must act · 4 try again later · 70 a fault of ours

Promises that no traceback reaches a person who did not ask for one. With `--format json` the error is the document.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from reconciler.cli.screen import Screen
    from reconciler.errors import ReconcilerError

DENIED = "[42501]"
"""How a message of PostgreSQL about a missing right is marked (manual: appendix A, insufficient_privilege)."""
MISSING_RIGHT = "  → a right is missing: reconciler doctor --fix prints what to grant"

INTERRUPTED = 130
INTERNAL = 70


@contextmanager
def reported(screen: Screen) -> Iterator[None]:
    """Runs a command; what it raises on purpose is said and becomes the exit code."""
    from reconciler.errors import ReconcilerError

    try:
        yield
    except ReconcilerError as error:
        _said(screen, error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError, SystemExit):
        raise
    except Exception as error:  # noqa: BLE001 - the outermost place: whatever arrives here is a fault of this program
        refused = _by_postgres(error)
        if refused is not None:
            _said(screen, refused)
            raise typer.Exit(refused.exit_code) from None
        internal(error, verbose=screen.verbose)
        if screen.is_json:
            screen.document({"error": {"kind": "internal", "message": _name(error), "exit": INTERNAL}})
        raise typer.Exit(INTERNAL) from None


def _by_postgres(error: Exception) -> ReconcilerError | None:
    """A statement of our own that PostgreSQL did not run for a reason that is nobody's fault."""
    import psycopg

    from reconciler.run.trouble import in_family

    return in_family(error) if isinstance(error, psycopg.Error) else None


def internal(error: BaseException, *, verbose: bool) -> None:
    """One line about a fault of this program; the traceback only where it was asked for."""
    sys.stderr.write(f"internal error: {_name(error)}\n")
    if verbose or os.environ.get("RECONCILER_DEBUG"):
        sys.stderr.write("".join(traceback.format_exception(error)))
    else:
        sys.stderr.write("  → this is a fault of reconciler; --verbose shows where it happened\n")


def _name(error: BaseException) -> str:
    first = str(error).strip().splitlines()[:1]
    return f"{type(error).__name__}: {first[0]}" if first else type(error).__name__


def _said(screen: Screen, error: ReconcilerError) -> None:
    if screen.is_json:
        screen.document(
            {
                "error": {
                    "kind": type(error).__name__.lower(),
                    "message": error.what,
                    "hint": error.hint,
                    "sources": [{"file": source.file, "line": source.line} for source in error.sources],
                    "exit": error.exit_code,
                }
            }
        )
    screen.err.print(f"error: {error}", soft_wrap=True, style="red" if screen.err.is_terminal else None)
    if DENIED in error.what:
        screen.err.print(MISSING_RIGHT, soft_wrap=True)
