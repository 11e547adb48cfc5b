"""`${NAME}` in the options of foreign servers, user mappings and subscriptions: filled in at the last moment.

Knows which statements may hold one and how a value is written in its place. Promises that a text that was not made for it is
left alone (`'${name}'` in a function's body is the function's own business), and that no value reaches a message. Where
the real values have no place, on a scratch database, a stand-in is written that PostgreSQL accepts everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from reconciler.errors import Stalled

_HOLDERS = re.compile(
    r"\A\s*(?:do \$\w*\$\s*begin\s+if .*?(?: then|end if;)\s+)?"
    r"(?:create|alter) (?:server|user mapping|foreign data wrapper|foreign table|subscription) ",
    re.IGNORECASE | re.DOTALL,
)
_PLACE = re.compile(r"'\$\{([A-Z_][A-Z0-9_]*)\}'")

STANDIN = "application_name=withheld"
"""A connection string that names no server, and as good a password as any."""


def placeholders(sql: str) -> tuple[str, ...]:
    """The names a statement wants values for, in order."""
    return tuple(dict.fromkeys(_PLACE.findall(sql))) if _HOLDERS.match(sql) else ()


def from_environment(environment: Mapping[str, str]) -> Callable[[str], str]:
    """What `run_step(resolve=…)` wants for a live database. The function raises `Stalled` when a value is missing."""

    def resolve(sql: str) -> str:
        missing = sorted(name for name in set(placeholders(sql)) if not environment.get(name))
        if missing:
            raise Stalled(
                f"the statement needs a secret that is not there: {', '.join(missing)}",
                hint=f"set the environment variable {missing[0]} where the migration is applied",
            )
        return _filled(sql, environment)

    return resolve


def withheld(sql: str) -> str:
    """What `run_step(resolve=…)` wants for a scratch database."""
    return _filled(sql, dict.fromkeys(placeholders(sql), STANDIN))


def _filled(sql: str, values: Mapping[str, str]) -> str:
    if not placeholders(sql):
        return sql
    return _PLACE.sub(lambda place: _constant(values[place[1]]), sql)


def _constant(value: str) -> str:
    """The value as a string constant that cannot end the constant, nor the dollar quotes it may stand in."""
    plain = value.replace("\\", "\\\\").replace("'", "''").replace("$", "\\x24")
    return f"E'{plain}'"
