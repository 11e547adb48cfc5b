"""The rows of one tenant, put into a scratch database by the seeder: exactly one row of the tenants' table, a few users with their
memberships, a few rows everywhere else, all pointing to each other and to what is shared, never to the other tenant's.

Triggers are off while the rows go in. Which rows are this side's is known from the transaction that made them. Texts carry a canary as far as
checks allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId
from reconciler.pg import ident, literal
from reconciler.shadow import seed_fill, seed_order, seed_tables
from reconciler.shadow.rows import plain_text
from reconciler.shadow.seed import plant, without_triggers
from reconciler.shadow.seed_tables import Table, Tables
from reconciler.shadow.seed_verify import TAKEN_OUT
from reconciler.shadow.tenants import fixtures
from reconciler.shadow.tenants.assigned import (
    FIRST,
    given_to,
    has_tenants,
    marked,
    tenant_key,
    user_key,
    whose,
)
from reconciler.shadow.tenants.fixtures import Taken
from reconciler.shadow.tenants.owners import tenant_columns, user_columns
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.typical import leaving, rules_over_all
from reconciler.shadow.tenants.values import Row, Side

Connection = psycopg.Connection[TupleRow]
USERS: Mapping[str, int] = {"A": 3, "B": 2}
"""A member, somebody who may do more, and (made with A's) one who belongs to both tenants."""
_ROWS = 2
_SHARED = ("global", "unknown")
RULES = "who stands in it rules over all tenants, which nobody of A is to do"


@dataclass(frozen=True, slots=True)
class Filled:
    """What was made for one side: its key, its users' keys, its rows, why a table got none, and whether the other side's user was admitted."""

    key: str = ""
    users: tuple[str, ...] = ()
    rows: Mapping[ObjectId, tuple[Row, ...]] = field(default_factory=dict)
    failed: Mapping[ObjectId, str] = field(default_factory=dict)
    admitted: bool = False


def shared(connection: Connection, seen: Examined) -> Filled:
    """The rows of nobody, and of tables about which nobody knows; those that are there already stay."""
    with connection.transaction(), without_triggers(connection):
        known = seed_tables.read(connection)
        mine = [
            oid
            for oid in known.tables
            if whose(seen, known.tables[oid]).ownership in _SHARED and not _foreign(seen, oid)
        ]
        known = replace(
            known, tables={**known.tables, **{oid: _there(seen, known.tables[oid]) for oid in mine}}
        )
        order = [oid for oid in seed_order.ordered(known, mine) if oid in set(mine)]
        troubles, empty = plant(connection, known, order, dict.fromkeys(order, _ROWS))
        return Filled(
            rows=_read(connection, known, order),
            failed=_failures(seen, known, order, troubles, empty),
        )


def _there(seen: Examined, table: Table) -> Table:
    """None of its rows says of itself that it is gone."""
    relation = seen.known.relations.get(table.oid)
    usual = {} if relation is None else leaving(relation)
    return replace(
        table,
        columns=tuple(
            replace(c, preferred="false" if usual[c.name][0] else f"cast(null as {c.type_text})")
            if c.name in usual and not c.preferred
            else c
            for c in table.columns
        ),
    )


def side(
    connection: Connection,
    seen: Examined,
    which: Side,
    declared: Taken | None = None,
    both: str = "",
    *,
    by_column: bool = True,
) -> Filled:
    """The rows of tenant `which`: those that were `declared`, and made-up ones where there are none. `both` is the key of a user of the
    other tenant who becomes a member of this one, too."""
    with connection.transaction(), without_triggers(connection):
        connection.execute("select pg_catalog.pg_current_xact_id()")
        plain = seed_tables.read(connection)
        own = {oid for oid in plain.tables if whose(seen, plain.tables[oid]).ownership not in _SHARED}
        ruling = {
            oid for oid in own if which == "A" and rules_over_all(seen, oid, whose(seen, plain.tables[oid]))
        }
        own -= ruling
        known = marked(plain, own, which, by_column=by_column)
        rows = {oid: _wanted(seen, known, oid, which) for oid in known.tables}
        troubles: dict[int, str] = {}
        root, users = seen.marks.root, seen.marks.users
        known = given_to(connection, seen, known, own, "", ())
        fixtures.put(connection, known, declared or {})
        key = ""
        if root:
            troubles |= _stage(connection, known, own, {root}, rows)
            key = _first(connection, known, root, seen.marks.root_key)
        key = (
            key
            or _owner(connection, seen, known, own)
            or (tenant_key(seen, which) if has_tenants(seen) else "")
        )
        known = given_to(connection, seen, known, own, key, ())
        members: tuple[str, ...] = ()
        if users and users in own:
            troubles |= _stage(connection, known, own, {users}, rows)
            members = _all(connection, known, users, seen.marks.user_key)
            members = fixtures.ranked(connection, seen, known, members) if declared else members
        members = members or tuple(user_key(seen, which, n) for n in range(USERS[which]))
        key = key or members[0]
        known = given_to(connection, seen, known, own, key, members)
        troubles |= _stage(connection, known, own, own, rows)
        admitted = bool(both) and _admit(connection, seen, known, own, key, both)
        order = seed_order.ordered(known, own)
        found = _read(connection, known, order)
        empty = {
            oid for oid in order if known.tables[oid].leaves == () and not found.get(_id(known.tables[oid]))
        }
        failed = _failures(seen, known, order, troubles, empty)
        failed |= {_id(known.tables[oid]): RULES for oid in ruling}
        return Filled(key, members, found, failed, admitted)


def _foreign(seen: Examined, oid: int) -> bool:
    """Whether the table belongs to an extension, whose rows are its own affair, or to a schema that is not looked at."""
    relation = seen.known.relations.get(oid)
    return relation is None or bool(relation.extension)


def _id(table: Table) -> ObjectId:
    return ObjectId("table", table.schema, table.name)


def _wanted(seen: Examined, known: Tables, oid: int, which: Side) -> int:
    if oid == seen.marks.root:
        return 1
    relation = seen.known.relations[oid]
    users = oid in seen.marks.user_tables or whose(seen, known.tables[oid]).ownership in (
        "membership",
        "user",
    )
    each = {(name,) for name in user_columns(seen.known, seen.found, seen.marks, relation)} & set(
        relation.unique
    )
    return USERS[which] if users or each else _ROWS


def _stage(
    connection: Connection, known: Tables, own: set[int], wanted: set[int], rows: Mapping[int, int]
) -> dict[int, str]:
    reached = seed_order.with_targets(known, wanted) & own
    order = [oid for oid in seed_order.ordered(known, reached) if oid in reached]
    troubles, empty = plant(connection, known, order, rows)
    return {oid: troubles.get(oid, TAKEN_OUT) for oid in empty}


def _first(connection: Connection, known: Tables, oid: int, column: str) -> str:
    found = _all(connection, known, oid, column)
    return found[0] if found else ""


def _all(connection: Connection, known: Tables, oid: int, column: str) -> tuple[str, ...]:
    table = known.tables[oid]
    rows = connection.execute(
        f"select {ident(column)}::text from {table.rows}{known.where(oid)} order by tableoid, ctid".encode()
    ).fetchall()
    return tuple(str(row[0]) for row in rows if row[0] is not None)


def _owner(connection: Connection, seen: Examined, known: Tables, own: set[int]) -> str:
    """The tenant of a declared row, where no table holds the tenants."""
    for oid in sorted(own):
        owned = whose(seen, known.tables[oid])
        if owned.ownership != "user" and not known.tables[oid].partitioned:
            row = connection.execute(
                f"select {owned.owner} from only {known.tables[oid].sql} as x{known.where(oid)} limit 1".encode()
            ).fetchone()
            if row and row[0]:
                return str(row[0])
    return ""


def _admit(connection: Connection, seen: Examined, known: Tables, own: set[int], key: str, user: str) -> bool:
    """Makes the other tenant's user a member of this one: a row more in each table of memberships. Whether one could be made."""
    counted = dict(known.counted)
    for oid, column in {**seen.marks.user_tables, **seen.marks.people}.items():
        if oid in own and whose(seen, known.tables[oid]).ownership == "user":
            counted[oid] = f"{ident(column)}::text = {literal(user)}"
    known = replace(
        given_to(connection, seen, known, own, key, (user,)), first=FIRST["B"] + 40, counted=counted
    )
    members = [oid for oid in sorted(own) if whose(seen, known.tables[oid]).ownership == "membership"]
    tables = [known.tables[oid] for oid in members if not known.tables[oid].partitioned]
    filled = [seed_fill.fill(connection, known, table, frozenset(), {}, 1) for table in tables]
    return any(not one.trouble for one in filled)


def _read(connection: Connection, known: Tables, order: Sequence[int]) -> dict[ObjectId, tuple[Row, ...]]:
    """The rows that count, in the order in which they were made; those of partitions also under the partitioned table."""
    found: dict[ObjectId, tuple[Row, ...]] = {}
    with plain_text(connection):
        for oid in order:
            table = known.tables[oid]
            if table.partitioned:
                continue
            names = [c.name for c in table.columns if not c.generated]
            values = ", ".join(f"{ident(name)}::text" for name in names)
            rows = connection.execute(
                f"select {values} from only {table.sql}{known.where(oid)} order by ctid".encode()
            ).fetchall()
            made = tuple(Row(dict(zip(names, row, strict=True))) for row in rows)
            if made:
                found[_id(table)] = made
                for above in sorted(table.roots & known.tables.keys()):
                    found[_id(known.tables[above])] = (*found.get(_id(known.tables[above]), ()), *made)
    return found


def _why(seen: Examined, table: Table, trouble: str) -> str:
    """A partition that a tenant's rows can never be in says so."""
    relation = seen.known.relations[table.oid]
    bound = {name for check in table.checks if not check.name for name in check.columns}
    if relation.partition and bound & set(tenant_columns(seen.known, seen.marks, relation)):
        return f"it is a partition for other tenants' rows ({trouble})"
    return trouble


def _failures(
    seen: Examined, known: Tables, order: Sequence[int], troubles: Mapping[int, str], empty: set[int]
) -> dict[ObjectId, str]:
    return {
        _id(known.tables[oid]): _why(seen, known.tables[oid], troubles.get(oid, TAKEN_OUT))
        for oid in order
        if oid in empty
    }
