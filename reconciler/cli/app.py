"""The tree of commands."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="reconciler",
    help="Keeps a PostgreSQL or Supabase database equal to what its team declared.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        from reconciler import __version__

        typer.echo(f"reconciler {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done or in sync · 1 differences, findings or failures · 2 wrong usage, configuration or declaration"
    " · 3 refused, a person must act · 4 try again later · 70 a fault of this program."
)
def reconciler(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keeps a PostgreSQL or Supabase database equal to what its team declared.

    \b
    Start here:
      reconciler init                              a new project
      reconciler plan                              what differs, and how to change it
      reconciler apply                             change it
      reconciler diff OLD NEW                      between any two of: URL, .sql file, directory, empty
    """


# isort: off
# fmt: off
# The commands register themselves; the order is that of --help.
from reconciler.cli import project, skeletons, planning, differing, auditing, testing, approving, applying, looking, suspending, purging, advice, running, listening, benching  # noqa: E402
# fmt: on

__all__ = [
    "advice",
    "app",
    "applying",
    "approving",
    "auditing",
    "benching",
    "differing",
    "listening",
    "looking",
    "planning",
    "project",
    "purging",
    "running",
    "skeletons",
    "suspending",
    "testing",
]
