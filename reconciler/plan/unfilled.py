"""A statement that wants a secret refuses to run without it.

Where a migration is run by another program than this one nobody fills in `'${NAME}'`, and PostgreSQL would take these very
characters for the password. Promises that such a statement raises instead, and says what is missing;
and that no two objects are given one secret by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.errors import Stalled
from reconciler.model import ObjectId, Statement
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


def unmistakable(statements: Iterable[Statement]) -> None:
    """Raises Stalled where two objects would be given one and the same secret, because their names differ only in what a
    placeholder leaves out."""
    wanting: dict[str, ObjectId] = {}
    for statement in statements:
        id = statement.subject
        if id is None:
            continue
        for name in placeholders(statement.sql):
            first = wanting.setdefault(name, id)
            if first != id:
                one, other = (f"{each.kind.replace('_', ' ')} {each}" for each in (first, id))
                raise Stalled(
                    f"{one} and {other} would both be given the secret {name}",
                    hint="give one of them a name that differs in a letter or a digit, or make it by a migration of your own",
                )


def _check(name: str) -> str:
    return (
        f"if '${{{name}}}' = '$' || '{{{name}}}' then raise exception 'the secret {name} was not filled in'"
        f" using hint = 'run this by reconciler apply, with {name} in its environment'; end if"
    )
