"""Schemas drawn by chance: whose each table is, rows for both tenants, and owners that agree with how the rows were made."""

from __future__ import annotations

import pytest
from drawn import drawn

from reconciler.pg import connect, ident
from reconciler.platforms import prelude
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.tenants import world

TABLES = 24


@pytest.mark.parametrize("seed", range(1, 3))
def test_a_drawn_schema_is_read_and_filled_as_it_was_drawn(scratch_server: Shadow, seed: int) -> None:
    schema = drawn(seed, TABLES)
    start = scratch_server.create()
    with connect(start) as session:
        session.execute(prelude("supabase").encode())
        session.execute("\n".join(schema.sql).encode())
    with world.build(scratch_server, start) as found:
        ownership = {
            id.name: owned.ownership for id, owned in found.tenancy.tables.items() if id.name in schema.wanted
        }
        assert ownership == schema.wanted
        assert len(found.unseeded) <= TABLES * 0.05, found.unseeded
        assert found.uncalibrated == {}
        with connect(found.both) as session:
            for id, owned in found.tenancy.tables.items():
                if not owned.owner:
                    continue
                owners = session.execute(
                    f"select {owned.owner} from {ident(id.schema, id.name)} as x".encode()
                ).fetchall()
                known = {
                    side: set(found.users[side]) if owned.ownership == "user" else {found.keys[side]}
                    for side in ("A", "B")
                }
                assert {owner for (owner,) in owners} <= known["A"] | known["B"], id
                for side in ("A", "B"):
                    many = sum(owner in known[side] for (owner,) in owners)
                    assert many == len(found.rows[side].get(id, ())), (id, side)
                    assert many or id in found.unseeded
