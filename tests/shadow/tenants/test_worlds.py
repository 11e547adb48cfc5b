"""Worlds of two tenants on a real server: what is in them, and that they differ in the rows of B and in nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.model import ObjectId
from reconciler.pg import Url, connect, ident
from reconciler.shadow.rows import plain_text
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.tenants import identities, world
from reconciler.shadow.tenants.values import Side, World

SCHEMAS = {"clearscrub": "org_id"}


def lines(url: Url, table: ObjectId, columns: list[str]) -> list[tuple[str | None, ...]]:
    texts = ", ".join(f"{ident(c)}::text" for c in columns)
    with connect(url) as session, plain_text(session):
        found = session.execute(f"select {texts} from {ident(table.schema, table.name)}".encode()).fetchall()
    return sorted(found, key=repr)


def made_of(found: World, table: ObjectId, columns: list[str], *sides: Side) -> list[tuple[str | None, ...]]:
    rows = [row for side in sides for row in found.rows[side].get(table, ())] + list(
        found.shared.get(table, ())
    )
    return sorted((tuple(row.values[c] for c in columns) for row in rows), key=repr)


@pytest.mark.majors
@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_rows_are_what_is_said_and_the_worlds_differ_in_those_of_b_alone(
    scratch_server: Shadow, loaded: Callable[[str], Url], name: str
) -> None:
    with world.build(scratch_server, loaded(name), tenant_column=SCHEMAS[name]) as found:
        assert found.unseeded == {}
        for table, owned in found.tenancy.tables.items():
            some = next(iter((*found.rows["A"].get(table, ()), *found.shared.get(table, ()))))
            columns = list(some.values)
            assert lines(found.alone, table, columns) == made_of(found, table, columns, "A")
            assert lines(found.both, table, columns) == made_of(found, table, columns, "A", "B")
            if owned.owner:
                assert found.rows["A"][table], table
                assert found.rows["B"][table], table


@pytest.mark.majors
@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_owner_of_every_row_is_who_it_was_made_for(
    scratch_server: Shadow, loaded: Callable[[str], Url], name: str
) -> None:
    with world.build(scratch_server, loaded(name), tenant_column=SCHEMAS[name]) as found:
        for url, sides in ((found.alone, ("A",)), (found.both, ("A", "B"))):
            with connect(url) as session:
                for table, owned in found.tenancy.tables.items():
                    if not owned.owner:
                        continue
                    counted = dict(
                        session.execute(
                            f"select {owned.owner}, count(*) from {ident(table.schema, table.name)} as x group by 1".encode()
                        ).fetchall()
                    )
                    for side in ("A", "B"):
                        keys = found.users[side] if owned.ownership == "user" else (found.keys[side],)
                        there = sum(counted.pop(key, 0) for key in keys)
                        assert there == (len(found.rows[side].get(table, ())) if side in sides else 0), (
                            table,
                            side,
                        )
                    assert counted == {}, table


def test_a_member_sees_the_rows_of_a_and_a_user_of_both_no_more_at_a_time(
    scratch_server: Shadow, loaded: Callable[[str], Url]
) -> None:
    with world.build(scratch_server, loaded("clearscrub"), tenant_column="org_id") as found:
        known = {identity.name: identity for identity in found.identities}
        assert {"member of A", "admin of A", "user of A and B", "anon", "service_role"} <= known.keys()
        assert found.uncalibrated == {}
        with connect(found.both) as session:
            for name in ("member of A", "admin of A", "user of A and B"):
                with session.transaction(force_rollback=True):
                    for sql in identities.become(known[name]):
                        session.execute(sql.encode())
                    rows = session.execute("select org_id::text from public.companies").fetchall()
                    assert [row[0] for row in rows] == [found.keys["A"]] * 2
                    log = session.execute("select from public.trigger_audit_log").fetchall()
                    assert len(log) == (2 if name == "admin of A" else 0)
        # the user of both is a member of B only where B is
        for url, many in ((found.alone, 1), (found.both, 2)):
            with connect(url) as session:
                row = session.execute(
                    "select count(*) from public.members where user_id::text = %s", (found.users["A"][2],)
                ).fetchone()
                assert row == (many,)
