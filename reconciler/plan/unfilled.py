"""A statement that wants a secret refuses to run without it.

Where a migration is run by another program than this one nobody fills in `'${NAME}'`, and PostgreSQL would take these very
characters for the password. Promises that such a statement raises instead, and says what is missing.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.model import Statement
from reconciler.run.placeholders import placeholders

_BEGIN = "\nbegin\n"


def refusing(statement: Statement) -> Statement:
    """The statement, preceded by the question whether its secrets were filled in, where it has any."""
    names = sorted(set(placeholders(statement.sql)))
    if not names:
        return statement
    checks = [_check(name) for name in names]
    if statement.sql.startswith("do "):
        opening, rest = statement.sql.split(_BEGIN, 1)
        lines = "".join(f"  {check};\n" for check in checks)
        return replace(statement, sql=f"{opening}{_BEGIN}{lines}{rest}")
    return replace(statement, sql=w.block(*checks, statement.sql))


def _check(name: str) -> str:
    return (
        f"if '${{{name}}}' = '$' || '{{{name}}}' then raise exception 'the secret {name} was not filled in'"
        f" using hint = 'run this by reconciler apply, with {name} in its environment'; end if"
    )
