"""Taking something from a role that leaves in the same plan.

The second time the plan runs the role is gone, and naming it would be an error although there is nothing left to take.
Promises a guard exactly on those statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.model import ObjectId, Statement
from reconciler.pg import ident

_TAKES = ("revoke ", "alter default privileges ")


def unless_gone(statements: list[Statement], dropped: Iterable[ObjectId]) -> list[Statement]:
    """The statements; what takes rights from roles among `dropped` asks first whether these are still there."""
    names = sorted(ident(id.name) for id in dropped if id.kind == "role")
    if not names:
        return statements
    found = []
    for statement in statements:
        named = (
            [name for name in names if _names(statement.sql, name)]
            if statement.sql.startswith(_TAKES)
            else []
        )
        if named:
            there = " and ".join(f"not {w.missing('to_regrole', name)}" for name in named)
            statement = replace(statement, sql=w.guarded(there, statement.sql))
        found.append(statement)
    return found


def _names(sql: str, name: str) -> bool:
    return re.search(rf'(?<![\w".]){re.escape(name)}(?![\w".])', sql) is not None
