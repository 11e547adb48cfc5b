"""The command line: one function per command, each calling one function of the engine.

Knows words, colours and exit codes. Never decides anything about a database.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of `reconciler`."""
    from reconciler.cli.app import app
    from reconciler.cli.failures import INTERNAL, internal

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the outermost place
        internal(error, verbose="--verbose" in sys.argv)
        sys.exit(INTERNAL)
