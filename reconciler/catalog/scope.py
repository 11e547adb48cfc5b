"""Which part of a database is looked at.

Knows the names that belong to PostgreSQL, to us or to a platform. Promises that nothing outside the scope enters a
snapshot; never decides what to do about it.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from reconciler.pg import literal

OURS = frozenset({"reconciler", "reconciler_quarantine"})
"""Schemas this program keeps for itself on a target: never part of a snapshot."""
OUR_TRIGGERS = "^(reconciler_keeps_[0-9a-f]{16}(_all)?|~reconciler_[0-9a-f]{16})$"
"""The names, as a regular expression, of triggers that an apply puts on tables while it copies from them, and takes off at the end.
Their functions are in a schema of ours; no more a part of a snapshot than these.
"""
OUR_COLUMNS = "^reconciler_[0-9a-f]{16}$"
"""And of the columns that follow others until they take their place. A snapshot has them: the table has them too."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`schemas` is None for every schema a user can create, else exactly these. `hidden` are patterns left out.

    `outside` says whether objects that live in no schema (extensions, casts, publications …) are looked at, `cluster`
    whether roles and their memberships are, which all databases of the server share. `connections` says whether the connection
    strings of subscriptions are, which only superusers may read. `lent` are hidden schemas whose tables take triggers and policies of
    others: those that run functions in scope, and all policies, are in scope; the tables are not.
    """

    schemas: frozenset[str] | None = None
    hidden: frozenset[str] = frozenset()
    outside: bool = True
    cluster: bool = False
    connections: bool = False
    lent: frozenset[str] = frozenset()

    def __contains__(self, schema: str) -> bool:
        if schema.startswith("pg_") or schema == "information_schema" or schema in OURS:
            return False
        if any(fnmatch.fnmatchcase(schema, pattern) for pattern in self.hidden):
            return False
        return self.schemas is None or schema in self.schemas

    def sql(self, column: str) -> str:
        """The same question as an SQL condition over the schema name in `column`."""
        names = ", ".join(literal(name) for name in sorted(OURS | {"information_schema"}))
        parts = [f"{column} !~ '^pg_'", f"{column} not in ({names})"]
        parts += [f"{column} !~ {literal(_regex(pattern))}" for pattern in sorted(self.hidden)]
        if self.schemas is not None:
            wanted = ", ".join(literal(name) for name in sorted(self.schemas)) or "null"
            parts.append(f"{column} in ({wanted})")
        return "(" + " and ".join(parts) + ")"

    def lends(self, column: str) -> str:
        """Whether the schema in `column` is one of the lent, as an SQL condition."""
        return f"{column} in ({', '.join(map(literal, sorted(self.lent)))})" if self.lent else "false"


def _regex(pattern: str) -> str:
    """A shell pattern as a PostgreSQL regular expression (only `*` and `?` are special)."""
    special = {"*": ".*", "?": "."}
    return (
        "^" + "".join(special.get(c) or (c if c.isalnum() or c == "_" else "\\" + c) for c in pattern) + "$"
    )


EVERYTHING = Scope()
