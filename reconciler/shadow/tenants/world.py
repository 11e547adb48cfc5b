"""Two scratch databases that differ in the rows of one tenant: what an attack finds or leaves in one and not in the other is a leak.

The database to look at is copied, rows of nobody and of tenant A are put in: that is the world without B. A copy of it gets the
rows of B, so whose a row is, is known from how it was made and never guessed. Sequences stand alike in both, materialized views are
refreshed in both. Needs a superuser on the scratch server: rows go in with triggers off, and attackers are played by SET ROLE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled
from reconciler.model import ObjectId
from reconciler.pg import Url, connect, ident, literal
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.tenants import calibrate, fixtures, identities, sides
from reconciler.shadow.tenants.identities import Recipe
from reconciler.shadow.tenants.sides import Filled
from reconciler.shadow.tenants.tenancy import Examined, examine
from reconciler.shadow.tenants.values import Row, Side, Tenancy, World

Connection = psycopg.Connection[TupleRow]
_AHEAD = 4_550_000
"""How far sequences jump before B's rows, where they can: numbers of B are not met by chance."""


@contextmanager
def build(
    shadow: Shadow,
    start: Url,
    *,
    tenancy: Tenancy | None = None,
    tenant_column: str = "",
    declared: Mapping[str, str] | None = None,
    scripts: Sequence[str] = (),
    recipes: Sequence[Recipe] = (),
    by_column: bool = True,
    told: Callable[[str], None] = lambda sentence: None,
) -> Iterator[World]:
    """A world of copies of `start`, a scratch database to which nobody is connected; both are dropped when the block ends.

    `tenant_column` and `declared` are as for `tenancy.read`; a `tenancy` that was read before wins over both. `scripts` are SQL with rows of two
    tenants, which win over made-up ones; `recipes` are further identities. `by_column`: texts say which column
    they stand in; else what is looked up by the text of one column is found in another. `told` hears what is being done. Raises Stalled where the
    shadow's user is no superuser, or a script does not run.
    """
    with shadow.copy(start) as alone:
        with connect(alone) as connection:
            _needs_superuser(connection)
            told("reading whose each table is")
            seen = examine(connection, tenant_column=tenant_column, declared=declared, given=tenancy)
            told("making rows for tenant A")
            fixtures.load(connection, scripts)
            there_before = fixtures.taken(connection, seen)
            common = sides.shared(connection, seen)
            a = sides.side(connection, seen, "A", there_before["A"], by_column=by_column)
            _ahead(connection)
        with shadow.copy(alone) as both:
            with connect(both) as there, connect(alone) as here:
                told("making rows for tenant B")
                both_in = a.users[2] if len(a.users) > 2 else ""
                b = sides.side(there, seen, "B", there_before["B"], both_in, by_column=by_column)
                _alike(there, here)
                trouble = {**_refresh(there), **_refresh(here)}
            told("finding out who sees what")
            yield _world(both, alone, seen, common, a, b, trouble, recipes)


def _world(
    both: Url,
    alone: Url,
    seen: Examined,
    common: Filled,
    a: Filled,
    b: Filled,
    trouble: Mapping[ObjectId, str],
    recipes: Sequence[Recipe],
) -> World:
    keys: dict[Side, str] = {"A": a.key, "B": b.key}
    users: dict[Side, tuple[str, ...]] = {"A": a.users, "B": b.users}
    acting, why = calibrate.acting(alone, both, seen, keys, users, shared=b.admitted or _both(seen, a, b))
    unseeded = {**common.failed, **trouble}
    for which, filled in (("A", a), ("B", b)):
        for id, reason in filled.failed.items():
            unseeded[id] = "; ".join(x for x in (unseeded.get(id, ""), f"no row of {which}: {reason}") if x)
    return World(
        both=both,
        alone=alone,
        tenancy=seen.tenancy,
        identities=(*acting, *identities.told(recipes, seen, keys, users)),
        rows={"A": a.rows, "B": b.rows},
        shared=common.rows,
        keys=keys,
        users=users,
        canaries={"A": _canaries(a.rows.values(), "A"), "B": _canaries(b.rows.values(), "B")},
        unseeded=dict(sorted(unseeded.items())),
        uncalibrated=why,
    )


def _both(seen: Examined, a: Filled, b: Filled) -> bool:
    """Whether a user of A was made a member of B."""
    for id, owned in seen.tenancy.tables.items():
        if owned.ownership == "membership" and len(a.users) > 2:
            column = owned.columns[1]
            if any(row.values.get(column) == a.users[2] for row in b.rows.get(id, ())):
                return True
    return False


def _needs_superuser(connection: Connection) -> None:
    row = connection.execute(
        "select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user"
    ).fetchone()
    if not row or not row[0]:
        raise Stalled(
            "the two-tenant attacks need a superuser on the scratch server: they put rows in with triggers off and act as other roles",
            hint="use --shadow embedded, or a URL of a superuser; without one only the static rules can run",
        )


def _canaries(rows: Iterable[tuple[Row, ...]], which: Side) -> frozenset[str]:
    word = re.compile(rf"canary_{which}(?:_[a-z]+)?_\d+")
    texts = (value for table in rows for row in table for value in row.values.values() if value)
    return frozenset(found for text in texts for found in word.findall(text))


_SEQUENCES = (
    "select s.schemaname::text, s.sequencename::text, s.increment_by, s.min_value, s.max_value, coalesce(s.last_value, s.start_value)"
    " from pg_catalog.pg_sequences as s where s.schemaname !~ '^pg_' order by 1, 2"
)


def _ahead(connection: Connection) -> None:
    """Sequences far ahead, so that no number of B is one that A could meet by counting."""
    for schema, name, step, low, high, last in connection.execute(_SEQUENCES).fetchall():
        jump = min(_AHEAD, (high - low) // 7)
        goal = last + jump if step > 0 else last - jump
        if low <= goal <= high:
            _set(connection, schema, name, goal)


def _alike(there: Connection, here: Connection) -> None:
    for schema, name, *_, last in there.execute(_SEQUENCES).fetchall():
        _set(there, schema, name, last)
        _set(here, schema, name, last)


def _set(connection: Connection, schema: str, name: str, value: int) -> None:
    sequence = literal(ident(schema, name))
    connection.execute(f"select pg_catalog.setval({sequence}::pg_catalog.regclass, {value})".encode())


def _refresh(connection: Connection) -> dict[ObjectId, str]:
    """Materialized views, those first that others are made of; what went wrong."""
    views = connection.execute(
        "select n.nspname::text, c.relname::text from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid ="
        " c.relnamespace where c.relkind = 'm' and n.nspname !~ '^pg_' order by c.oid"
    ).fetchall()
    wrong: dict[ObjectId, str] = {}
    for _ in range(2):  # one that reads another, made later
        wrong = {}
        for schema, name in views:
            try:
                connection.execute(f"refresh materialized view {ident(schema, name)}".encode())
            except psycopg.Error as error:
                said = (error.diag.message_primary or str(error)).strip()
                wrong[ObjectId("materialized_view", schema, name)] = f"it cannot be refreshed: {said}"
        if not wrong:
            break
    return wrong
