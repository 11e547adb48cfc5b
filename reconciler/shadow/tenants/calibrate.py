"""Whether those who act see what is theirs: asked in the world without B, where every row that belongs to somebody is A's.

An attack by somebody who sees nothing says nothing. Where a member sees none of A's rows, other readings of what policies ask are tried; one
is taken only if it shows rows of A and none of B. What cannot be repaired is named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import Url, connect, ident
from reconciler.shadow.tenants import claims, identities, insides
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.expressions import Ask
from reconciler.shadow.tenants.identities import Person
from reconciler.shadow.tenants.roles import ADMIN, dealt, label, labels, ranked
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.values import Identity, Side

Connection = psycopg.Connection[TupleRow]
_MOST = 48
"""Readings that are tried for one identity."""


def acting(
    alone: Url,
    both: Url,
    seen: Examined,
    keys: Mapping[Side, str],
    users: Mapping[Side, Sequence[str]],
    *,
    shared: bool,
) -> tuple[tuple[Identity, ...], Mapping[str, str]]:
    """Everyone who acts, and by name why somebody could not be made to see what is theirs. `shared`: one user belongs to both tenants."""
    with connect(alone) as here, connect(both) as there:
        found = tuple(identities.people(keys, users, _emails(here, seen), _admins(here, seen), shared))
        made: list[Identity] = []
        why: dict[str, str] = {}
        for identity, person in identities.members(seen, found):
            calibrated, trouble = _calibrated(here, there, seen, identity, person)
            made.append(calibrated)
            if trouble:
                why[identity.name] = trouble
        made += identities.others(seen, found[0] if found else Person())
    return tuple(made), why


def _admins(connection: Connection, seen: Examined) -> bool:
    """Whether some member may do more than others."""
    members = [
        r
        for r in seen.known.tables
        if r.id in seen.tenancy.tables and seen.tenancy.tables[r.id].ownership == "membership"
    ]
    asked = (
        words
        for ask, words in seen.found.answers.items()
        if claims.meaning(ask) == "role" and len(ask.path) != 1
    )
    inside = insides.gather(seen.reader)
    documents = (inside[c.name] for r in members for c in r.columns if c.name in inside)
    people = [
        r for r in seen.known.tables
        if r.id in seen.tenancy.tables and ranked(seen, r, seen.tenancy.tables[r.id])
    ]  # fmt: skip
    dealt_out = any(labels(seen, r) or dealt(connection, seen, r) for r in people)
    return (
        dealt_out
        or any(insides.rules(one) for one in documents)
        or any(ADMIN.search(w) for words in asked for w in words)
    )


def _emails(connection: Connection, seen: Examined) -> dict[str, str]:
    """The e-mail address of each user, by key."""
    users = seen.known.relations.get(seen.marks.users)
    column = (
        next((c.name for c in users.columns if claims.stem(c.name) in ("email", "mail")), "") if users else ""
    )
    if users is None or not column:
        return {}
    rows = connection.execute(
        f"select {ident(seen.marks.user_key)}::text, {ident(column)}::text from {users.sql} where {ident(column)} is not null".encode()
    ).fetchall()
    return {str(key): str(email) for key, email in rows}


def _calibrated(
    here: Connection, there: Connection, seen: Examined, identity: Identity, person: Person
) -> tuple[Identity, str]:
    tables = _readable(here, seen, identity.role)
    if not tables:
        return identity, ""  # nothing to see for this role: that is its right, not a mistake
    asked = claims.everything(seen.reader)
    doubtful = [
        a
        for a in sorted(asked.asks, key=lambda a: (a.setting, a.path))
        if "." in a.setting and claims.meaning(a) == "other"
    ]
    sees, said = _sees(here, identity, tables)
    if sees and not doubtful:
        return identity, ""
    best, most = identity, len(sees)
    for answers in islice(_readings(seen, asked.asks, doubtful, person, bool(sees)), _MOST):
        other = replace(identity, settings=identities.settings(seen, asked, person, identity.role, answers))
        if other.settings == identity.settings:
            continue
        now, _ = _sees(here, other, tables)
        if len(now) > most and _sees(there, other, tables)[0] == now:
            best, most = other, len(now)
    if most:
        return best, ""
    reason = f"it sees no row of A in any of the {len(tables)} tables that {identity.role} may read"
    return identity, reason + (f" ({said})" if said else "")


def _readings(
    seen: Examined, asks: frozenset[Ask], doubtful: Sequence[Ask], person: Person, something: bool
) -> Iterator[dict[Ask, str]]:
    """Other values for what is asked: for what nobody understands, and, where nothing is seen at all, for the rest, too."""
    open_ = (
        list(doubtful)
        if something
        else [*doubtful, *(a for a in sorted(asks, key=repr) if "." in a.setting and a not in doubtful)]
    )
    choices = []
    for ask in open_[:4]:
        words = tuple(seen.found.answers.get(ask, ()))
        values = ["", *person.tenants[:1], person.user, person.email]
        if words:
            values = ["", label(words, person.admin), *words, *values]
        choices.append(list(dict.fromkeys(values)))
    for combination in sorted(
        product(*(range(len(c)) for c in choices)), key=lambda c: (sum(1 for i in c if i), sum(c))
    ):
        yield {
            ask: values[i] for ask, values, i in zip(open_, choices, combination, strict=False) if values[i]
        }


def _readable(connection: Connection, seen: Examined, role: str) -> list[Relation]:
    """The tables that belong to somebody and that the role may read at all; partitions are read through what they are part of."""
    owned = [
        r
        for r in seen.known.tables
        if not r.partition and (o := seen.tenancy.tables.get(r.id)) is not None and o.owner
    ]
    rows = connection.execute(
        "select t.oid::bigint from pg_catalog.unnest(%s::oid[]) as t (oid) join pg_catalog.pg_class as c on c.oid = t.oid"
        " where pg_catalog.has_table_privilege(%s, t.oid, 'select') and pg_catalog.has_schema_privilege(%s, c.relnamespace, 'usage')",
        ([r.oid for r in owned], role, role),
    ).fetchall()
    may = {row[0] for row in rows}
    return [r for r in owned if r.oid in may]


def _sees(
    connection: Connection, identity: Identity, tables: Sequence[Relation]
) -> tuple[dict[str, int], str]:
    """How many rows this identity sees of each table where it sees any, and the first error."""
    found: dict[str, int] = {}
    said = ""
    with connection.transaction(force_rollback=True):
        connection.execute("set local statement_timeout to '10s'")
        for sql in identities.become(identity):
            connection.execute(sql.encode())
        for some in _batched(tables, 25):
            said = _counted(connection, some, found) or said
    return found, said


def _counted(connection: Connection, tables: Sequence[Relation], found: dict[str, int]) -> str:
    """Adds the numbers of visible rows, of all tables in one question where none raises; else each alone. The last error."""
    counts = ", ".join(f"(select count(*) from {table.sql})" for table in tables)
    try:
        with connection.transaction():
            row = connection.execute(f"select {counts}".encode()).fetchone()
    except psycopg.Error as error:
        if len(tables) == 1:
            return (error.diag.message_primary or str(error)).strip()
        return max(_counted(connection, [table], found) for table in tables)
    found |= {table.sql: count for table, count in zip(tables, row or (), strict=True) if count}
    return ""


def _batched(tables: Sequence[Relation], size: int) -> Iterator[Sequence[Relation]]:
    for start in range(0, len(tables), size):
        yield tables[start : start + size]
