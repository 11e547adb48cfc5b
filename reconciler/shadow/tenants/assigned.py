"""What the columns of one tenant's rows are to hold: its key and its users where no foreign key says so, roles dealt out, ordinary values,
and a canary in every text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import md5

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId
from reconciler.pg import literal
from reconciler.shadow.seed_tables import Column, Table, Tables
from reconciler.shadow.tenants import claims, insides
from reconciler.shadow.tenants.owners import tenant_columns, user_columns
from reconciler.shadow.tenants.roles import dealt, labels, ordinary, ranked
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.typical import typical
from reconciler.shadow.tenants.values import Owned, Side

Connection = psycopg.Connection[TupleRow]
FIRST: Mapping[str, int] = {"A": 1, "B": 456}
"""The number of the first row. B's differs from A's modulo whatever a type may cut it down to (2, 10, 26, 36, 100, 256)."""
MADE_NOW = "pg_catalog.age(xmin) <= 0"
"""Rows of this transaction (its savepoints included): a transaction is not older than itself (manual: age(xid))."""


def whose(seen: Examined, table: Table) -> Owned:
    """What is known of a table of the seeder."""
    id = ObjectId("table", table.schema, table.name)
    return seen.tenancy.tables.get(id, Owned(id, "unknown"))


def marked(plain: Tables, own: set[int], which: Side, *, by_column: bool = True) -> Tables:
    """Tables whose texts carry the canary, whose rows are numbered from this side's first number, and count only when made now."""
    tables = {
        oid: replace(
            t,
            columns=tuple(replace(c, canary=_canary(which, c.name if by_column else "")) for c in t.columns),
        )
        if oid in own
        else t
        for oid, t in plain.tables.items()
    }
    return replace(plain, tables=tables, first=FIRST[which], counted=dict.fromkeys(own, MADE_NOW))


def _canary(which: Side, column: str) -> str:
    """What the texts of a column begin with. It says which column that was, so that what comes back is told from what was sent: who asks by an e-mail
    address and is answered with a name got a word that he had not. The last word of the column's name: `email` and `user_email` may be compared."""
    words = re.findall(r"[a-z]{2,12}", column.lower())
    return f"canary_{which}_{words[-1]}" if words else f"canary_{which}"


def given_to(
    connection: Connection, seen: Examined, known: Tables, own: set[int], key: str, users: Sequence[str]
) -> Tables:
    """The columns that name a tenant or a user without a foreign key get these; the roles of members are dealt out."""
    tables = dict(known.tables)
    inside = insides.gather(seen.reader)
    for oid in own:
        table = known.tables[oid]
        relation = seen.known.relations[oid]
        keyed = {name for k in table.keys for name in k.columns}
        given: dict[str, tuple[str, ...]] = {}
        if key and oid != seen.marks.root:
            given |= {n: (key,) for n in tenant_columns(seen.known, seen.marks, relation) if n not in keyed}
        if users and oid != seen.marks.users:
            mine = user_columns(seen.known, seen.found, seen.marks, relation)
            given |= {n: tuple(users) for n in mine if n not in keyed and n not in given}
        if ranked(seen, relation, whose(seen, table)):
            given |= {n: v for n, v in labels(seen, relation).items() if n not in keyed} or dealt(
                connection, seen, relation
            )
        usual = typical(seen, relation, whose(seen, table))
        for column in table.columns:
            if column.name in inside and column.type_text in ("json", "jsonb") and column.name not in given:
                one, member = inside[column.name], whose(seen, table).ownership == "membership"
                for_whom = insides.Whose(column.canary, key, "".join(users[:1]), member)
                texts = [insides.document(one, replace(for_whom, admin=more)) for more in (False, True)]
                usual[column.name] = literal(texts[0])
                if (
                    member
                    and insides.rules(one)
                    and not any(column.name in check.columns for check in table.checks)
                ):
                    given[column.name] = (texts[0], texts[1], texts[0])
        tables[oid] = replace(table, columns=tuple(_with(c, given, usual) for c in table.columns))
    return replace(known, tables=tables)


def _with(column: Column, given: Mapping[str, tuple[str, ...]], usual: Mapping[str, str]) -> Column:
    return replace(column, given=given.get(column.name, column.given), preferred=usual.get(column.name, ""))


def has_tenants(seen: Examined) -> bool:
    """Whether anything belongs to a tenant at all; where all belongs to users, the first user is as good as a tenant."""
    return any(owned.owner and owned.ownership != "user" for owned in seen.tenancy.tables.values())


def tenant_key(seen: Examined, which: Side) -> str:
    """A tenant's key where no table holds the tenants: a value that the columns which name it can hold."""
    types = [
        column.type
        for relation in seen.known.tables
        for name in tenant_columns(seen.known, seen.marks, relation)
        if (column := relation.column(name)) is not None
    ]
    return _value(max(types, key=types.count) if types else "text", f"tenant {which}", FIRST[which])


def user_key(seen: Examined, which: Side, n: int) -> str:
    """The same for the n-th user."""
    types = [
        column.type
        for relation in seen.known.tables
        for name in user_columns(seen.known, seen.found, seen.marks, relation)
        if (column := relation.column(name)) is not None
    ]
    if (
        seen.found.words
        and not any(claims.meaning(ask) == "user" for ask in seen.found.asks)
        and which == "A"
    ):
        acting = ordinary(seen)  # policies ask for the current user: then it is a role that acts
        if n < len(acting):
            return acting[n]
    return _value(max(types, key=types.count) if types else "text", f"user {which} {n}", FIRST[which] + n)


def _value(type_: str, word: str, number: int) -> str:
    if type_ == "uuid":
        text = md5(word.encode(), usedforsecurity=False).hexdigest()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    if type_.startswith(("smallint", "integer", "bigint", "numeric")):
        return str(number)
    return "key_" + word.replace(" ", "_")
