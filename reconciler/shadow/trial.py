"""Statements run on a scratch database as they would run on the target.

As the role that applies them there, step by step, and with stand-ins for secrets. Promises nothing about the result: whoever
runs them looks at what they led to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from reconciler.errors import Stalled
from reconciler.model import Statement
from reconciler.pg import ident
from reconciler.run import Outcome, run_step, steps
from reconciler.run.placeholders import withheld


def run(
    connection: psycopg.Connection[Any],
    statements: Iterable[Statement],
    *,
    role: str = "",
    measure: bool = False,
    side: Callable[[], psycopg.Connection[Any]] | None = None,
) -> list[Outcome]:
    """What became of each. `role` empty means the connection's own; `side` opens a second session, to measure what runs outside
    transactions. Raises what `run_step` raises."""
    if role:
        connection.execute(f"set session authorization {ident(role)}")
    try:
        return [
            outcome
            for step in steps(tuple(statements))
            for outcome in run_step(
                connection,
                step,
                lock_timeout="10s",
                statement_timeout="10min",
                measure=measure,
                side=side,
                resolve=withheld,
            )
        ]
    except Stalled as error:
        if "has no handler" not in error.what:
            raise
        raise Stalled(
            f"rows of a foreign table would be read or written, which a rehearsal never does: {error.what}",
            hint="change those rows by hand on the other server, or detach the foreign table first",
        ) from error
