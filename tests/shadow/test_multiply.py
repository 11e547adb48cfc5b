"""Many rows out of few: how many tables grow in realistic schemas, and that every constraint holds afterwards."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
import pytest
from test_seed import CLEARSCRUB, SCHEMAS, constraints_made_again, count

from reconciler.catalog import snapshot as catalog
from reconciler.declare import read
from reconciler.platforms import prelude
from reconciler.shadow import materialise, seed_tables
from reconciler.shadow.multiply import Grown, multiply
from reconciler.shadow.seed import seed, without_triggers

WANTED = 2_000


def grown(
    connection: psycopg.Connection, wanted: Mapping[str, int] | int = WANTED
) -> tuple[Grown, dict[str, int]]:
    """What was said, and how many rows each table has."""
    with connection.transaction(), without_triggers(connection):
        seed(connection, catalog.read(connection))
        connection.execute("set local statement_timeout to '60s'")
        tables = seed_tables.read(connection)
        asked = {
            oid: wanted if isinstance(wanted, int) else wanted.get(table.name, 1)
            for oid, table in tables.tables.items()
            if not table.partitioned
        }
        found = multiply(connection, tables, asked)
    return found, {
        tables.tables[oid].sql.removeprefix("public."): count(connection, tables.tables[oid].sql)
        for oid in asked
    }


@pytest.mark.parametrize(
    ("name", "share"), [("shop", 0.65), ("clinic", 0.7), ("telemetry", 1.0), ("ledger", 0.6)]
)
def test_the_tables_of_a_realistic_schema_grow(
    connection: psycopg.Connection, name: str, share: float
) -> None:
    """Some cannot: two warehouses, 26 letters, an account number with a checksum. Those are named."""
    connection.execute((SCHEMAS / f"{name}.sql").read_text().encode())
    found, rows = grown(connection)
    assert constraints_made_again(connection) > 20
    few = {table for table, n in rows.items() if n < WANTED / 2}
    assert {sentence.split(" has ")[0] for sentence in found.failed} == few
    assert 1 - len(few) / len(rows) >= share


def test_the_tables_of_clearscrub_grow(connection: psycopg.Connection) -> None:
    connection.execute(prelude("supabase", owner=connection.info.user))
    materialise.load(connection, read(CLEARSCRUB).files)
    found, rows = grown(connection)
    assert constraints_made_again(connection) > 20
    assert found.failed == ()
    assert all(n >= WANTED / 2 for n in rows.values())


def test_tables_of_different_sizes_find_each_other(connection: psycopg.Connection) -> None:
    """Linked through the tenant and through each other, as many as asked for, and no two rows alike."""
    connection.execute(
        """
        create table org (id uuid primary key, name text not null);
        create table customer (org_id uuid references org, id bigint, email text not null, unique (org_id, email), primary key (org_id, id));
        create table invoice (org_id uuid references org, id bigint generated always as identity, customer bigint not null,
          number varchar(12) not null, total numeric(12,2), half numeric generated always as (total / 2) stored,
          primary key (org_id, id), foreign key (org_id, customer) references customer, unique (org_id, number));
        create table line (org_id uuid, invoice bigint, n smallint, note text, primary key (org_id, invoice, n),
          foreign key (org_id, invoice) references invoice);
        """
    )
    found, rows = grown(connection, {"org": 50, "customer": 1_000, "invoice": 5_000, "line": 20_000})
    assert found.failed == ()
    assert 25 <= rows["org"] <= 100
    assert 500 <= rows["customer"] <= 2_000
    assert 3_500 <= rows["invoice"] <= 7_500
    assert constraints_made_again(connection) >= 9


def test_rows_are_made_as_wide_as_the_target_s(connection: psycopg.Connection) -> None:
    connection.execute("create table t (id bigint primary key, note text)")
    with connection.transaction(), without_triggers(connection):
        seed(connection, catalog.read(connection))
        tables = seed_tables.read(connection)
        (oid,) = tables.tables
        multiply(connection, tables, {oid: 1_000}, {oid: 500})
    row = connection.execute("select avg(pg_column_size(t.*)) from t").fetchone()
    assert row is not None
    assert 450 < row[0] < 600


def test_a_partition_keeps_its_rows(connection: psycopg.Connection) -> None:
    connection.execute(
        """
        create table r (k int not null, id bigint not null, primary key (k, id)) partition by range (k);
        create table r1 partition of r for values from (0) to (10);
        create table h (id bigint primary key) partition by hash (id);
        create table h0 partition of h for values with (modulus 2, remainder 0);
        create table h1 partition of h for values with (modulus 2, remainder 1);
        create table points (h bigint references h, id bigint primary key);
        """
    )
    found, rows = grown(connection, {"r1": 1_000, "h0": 1_000, "h1": 1_000, "points": 1_000})
    assert found.failed == ()
    assert all(n >= 500 for n in rows.values()), rows
    assert constraints_made_again(connection) >= 4
