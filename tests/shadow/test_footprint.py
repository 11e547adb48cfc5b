"""What a statement did to which table: counters of one transaction, taken as a difference."""

from __future__ import annotations

import psycopg
import pytest

from reconciler.shadow.footprint import Touched, touching, watch

SCHEMA = """
create table parent (id int primary key);
create table child (id int primary key, parent int references parent on delete cascade);
create table log (said text);
create function logged() returns trigger language plpgsql security definer as $$
begin insert into log values (tg_op); return null; end $$;
create trigger logged after delete on child for each row execute function logged();
create table part (id int) partition by range (id);
create table part_1 partition of part for values from (0) to (10);
create materialized view many as select count(*) as n from log;
insert into parent values (1), (2);
insert into child values (10, 1), (11, 1), (12, 2);
"""


def did(connection: psycopg.Connection, sql: str) -> dict[str, Touched]:
    seen = watch(connection)
    with connection.transaction(force_rollback=True), touching(connection, seen) as found:
        connection.execute(sql)
    return {touched.relation.name: touched for touched in found}


@pytest.mark.majors
def test_cascades_triggers_partitions_truncation_and_refresh_are_seen(connection: psycopg.Connection) -> None:
    connection.execute(SCHEMA)
    found = did(connection, "delete from parent where id = 1")
    assert (found["parent"].deleted, found["child"].deleted, found["log"].inserted) == (1, 2, 2)
    assert set(did(connection, "select from child")) == {"child"}
    assert not did(connection, "select from child")["child"].written
    assert did(connection, "insert into part values (1)")["part_1"].inserted == 1
    assert did(connection, "truncate log")["log"].written
    assert did(connection, "refresh materialized view many")["many"].written
    assert not did(connection, "select 1")


@pytest.mark.majors
def test_what_is_read_through_an_index_is_seen(connection: psycopg.Connection) -> None:
    connection.execute(SCHEMA + "set enable_seqscan = off")
    found = did(connection, "select from child where id = 10")
    assert set(found) == {"child"}
    assert found["child"].scans and not found["child"].written


@pytest.mark.majors
def test_what_was_counted_before_is_not_counted_again(connection: psycopg.Connection) -> None:
    connection.execute(SCHEMA)
    assert did(connection, "insert into log values ('a'), ('b')")["log"].inserted == 2
    assert did(connection, "insert into log values ('a')")["log"].inserted == 1
    rolled_back = (
        "do $$ begin insert into log values ('a'); raise 'no'; exception when others then null; end $$"
    )
    assert did(connection, rolled_back)["log"].inserted == 1
