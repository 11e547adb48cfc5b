"""Tables that no key and no policy says anything about, told by what they have in common with tables of tenants: an export, a copy, a log.

A column with the name and type of the column that names the tenant elsewhere names the tenant here, too. What only looks like more (a
column that elsewhere leads to a tenant or names a user, an e-mail address, every column of a table of tenants) is a doubt: such a table is never
everybody's without somebody saying so. Knows the catalog and what is decided so far; runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Catalogue, Column, Relation
from reconciler.shadow.tenants.landmarks import keyed_by
from reconciler.shadow.tenants.values import Owned

_ANYTHING = frozenset({"id", "key", "uuid", "code", "name", "parent_id"})
"""What columns of any table may be called: says nothing."""

_PERSON = re.compile(
    r"(^|_)(e_?mail(_address)?|phone(_number)?|mobile|user_?name|login|ssn|iban|birth_?(date|day))$"
)


def tenants(known: Catalogue, decided: Mapping[int, Owned], relation: Relation) -> Owned | None:
    """What a table is by a column that names the tenant in others."""
    for column in _free(relation):
        for other, owned in _owning(known, decided, column):
            if owned.ownership in ("tenant", "membership") and owned.columns[0] == column.name:
                why = f"{column.name} names the tenant, as in {other.sql}"
                return Owned(relation.id, "tenant", (column.name,), f"x.{ident(column.name)}::text", why)
    return None


def doubt(known: Catalogue, decided: Mapping[int, Owned], relation: Relation) -> str:
    """Why a table that names nobody may still be somebody's; empty when nothing says so."""
    for column in _free(relation):
        for other, owned in _owning(known, decided, column):
            if owned.ownership in ("user", "via", "membership"):
                return f"{column.name} says whose a row is in {other.sql}, and here it has no key"
        if _PERSON.search(column.name):
            return f"{column.name} tells who somebody is"
    columns = {(column.name, column.type) for column in relation.columns}
    for oid, owned in decided.items():
        other = known.relations[oid]
        same = columns >= {(column.name, column.type) for column in other.columns}
        if owned.owner and same and other.name.removesuffix("s") in relation.name:
            return f"it has every column of {other.sql}, whose rows are somebody's"
    return ""


def _free(relation: Relation) -> Iterator[Column]:
    """The columns that no key explains and whose name says something."""
    return (c for c in relation.columns if c.name not in _ANYTHING and not keyed_by(relation, c.name))


def _owning(
    known: Catalogue, decided: Mapping[int, Owned], column: Column
) -> Iterator[tuple[Relation, Owned]]:
    """The tables in which a column of this name and type says whose a row is."""
    for oid, owned in decided.items():
        other = known.relations[oid]
        found = other.column(column.name) if column.name in owned.columns else None
        if owned.owner and found is not None and found.type == column.type:
            yield other, owned
