"""Rows that somebody declared: read for whose they are, taken out, and put in again where they belong.

They win over made-up ones: the first tenant among them is A, the second B, and a table that has rows of a tenant gets no others for it.
Rows of further tenants stay in both worlds and belong to neither side. Rows of nobody stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled
from reconciler.pg import ident, literal
from reconciler.shadow import seed_tables
from reconciler.shadow.rows import plain_text
from reconciler.shadow.seed import without_triggers
from reconciler.shadow.seed_tables import Table, Tables
from reconciler.shadow.tenants.assigned import whose
from reconciler.shadow.tenants.roles import ADMIN
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.values import Owned, Row, Side

Connection = psycopg.Connection[TupleRow]
Taken = Mapping[int, tuple[Row, ...]]
"""Rows by the OID of the table that holds them."""


def load(connection: Connection, scripts: Iterable[str]) -> None:
    """Runs the scripts as a superuser, triggers and constraints on. Stalled with PostgreSQL's words when one does not run."""
    for number, script in enumerate(scripts, 1):
        try:
            with connection.transaction():
                connection.execute(script.encode())
        except psycopg.Error as error:
            said = (error.diag.message_primary or str(error)).strip()
            raise Stalled(
                f"fixture {number} does not run: {said}", hint="correct the fixtures of the audit; they run in order, each in one transaction"
            ) from error  # fmt: skip


def taken(connection: Connection, seen: Examined) -> Mapping[Side, Taken]:
    """The rows that belong to the first two tenants, which are deleted here."""
    made: dict[Side, dict[int, tuple[Row, ...]]] = {"A": {}, "B": {}}
    with connection.transaction(), without_triggers(connection), plain_text(connection):
        known = seed_tables.read(connection)
        rows = {
            oid: found for oid in known.tables if (found := _owned_rows(connection, seen, known.tables[oid]))
        }
        sides = _sides(seen, known, rows)
        for oid, found in rows.items():
            table = known.tables[oid]
            for side in made:
                mine = [
                    (place, row)
                    for place, owner, row in found
                    if sides.get((_people(whose(seen, table)), owner)) == side
                ]
                if mine:
                    places = ", ".join(literal(place) for place, _ in mine)
                    connection.execute(
                        f"delete from only {table.sql} where ctid::text in ({places})".encode()
                    )
                    made[side][oid] = tuple(row for _, row in mine)
    return made


def put(connection: Connection, known: Tables, rows: Taken) -> None:
    """Puts rows in as they were; generated columns are computed again. For a transaction with triggers off."""
    for oid, found in rows.items():
        table = known.tables[oid]
        names = list(found[0].values)
        types = {name: table.column(name).type_text for name in names}
        lines = ", ".join(
            "(" + ", ".join(f"cast({_constant(row.values[n])} as {types[n]})" for n in names) + ")"
            for row in found
        )
        columns = ", ".join(ident(name) for name in names)
        connection.execute(
            f"insert into {table.sql} ({columns}) overriding system value values {lines}".encode()
        )


def ranked(connection: Connection, seen: Examined, known: Tables, users: Sequence[str]) -> tuple[str, ...]:
    """Users as they are called upon: ordinary members first, then those whose membership says that they may do more."""
    above: set[str] = set()
    for oid, table in known.tables.items():
        owned = whose(seen, table)
        if owned.ownership == "membership" and not table.partitioned:
            found = connection.execute(
                f"select {ident(owned.columns[1])}::text, pg_catalog.to_jsonb(x) from only {table.sql} as x{known.where(oid)}".encode()
            ).fetchall()
            above |= {
                user for user, row in found
                if any("role" in name and isinstance(value, str) and ADMIN.search(value) for name, value in row.items())
            }  # fmt: skip
    return tuple(sorted(users, key=lambda user: user in above))


def _constant(value: str | None) -> str:
    return "null" if value is None else literal(value)


def _people(owned: Owned) -> str:
    """Whether keys of this table's owners are users' or tenants'."""
    return "user" if owned.ownership == "user" else "tenant"


def _owned_rows(connection: Connection, seen: Examined, table: Table) -> list[tuple[str, str, Row]]:
    """(place, owner, row) of each row that has an owner."""
    owned = whose(seen, table)
    if not owned.owner or table.partitioned:
        return []
    names = [c.name for c in table.columns if not c.generated]
    values = ", ".join(f"x.{ident(name)}::text" for name in names)
    rows = connection.execute(
        f"select x.ctid::text, {owned.owner}, {values} from only {table.sql} as x order by x.ctid".encode()
    ).fetchall()
    return [
        (place, owner, Row(dict(zip(names, row, strict=True))))
        for place, owner, *row in rows
        if owner is not None
    ]


def _sides(
    seen: Examined, known: Tables, rows: Mapping[int, Sequence[tuple[str, str, Row]]]
) -> dict[tuple[str, str], Side]:
    """Which side an owner is on: tenants in the order in which the table of tenants (or else any) has them, users by their memberships."""
    order = [seen.marks.root, seen.marks.users, *sorted(rows, key=lambda oid: known.tables[oid].sql)]
    kinds: dict[str, list[str]] = {"tenant": [], "user": []}
    for oid in order:
        for _, owner, _ in rows.get(oid, ()):
            kinds[_people(whose(seen, known.tables[oid]))].append(owner)
    tenants, users = (list(dict.fromkeys(kinds[kind])) for kind in ("tenant", "user"))
    names: tuple[Side, Side] = ("A", "B")
    found: dict[tuple[str, str], Side] = {
        ("tenant", key): side for key, side in zip(tenants, names, strict=False)
    }
    for oid, some in rows.items():
        owned = whose(seen, known.tables[oid])
        column = (
            owned.columns[1]
            if owned.ownership == "membership"
            else seen.marks.user_key
            if oid == seen.marks.users
            else ""
        )
        if not column or owned.ownership == "user":
            continue
        for _, owner, row in some:
            side, user = found.get(("tenant", owner)), row.values.get(column)
            if side and user is not None and found.get(("user", user)) != "A":
                found["user", user] = side
    if not tenants:
        found |= {("user", key): side for key, side in zip(users, names, strict=False)}
    return found
