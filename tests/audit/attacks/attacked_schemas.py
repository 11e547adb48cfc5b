"""Schemas with and without holes, attacked: what came of it, and an empty copy for scripts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.audit.probe import Attacked, attacked
from reconciler.catalog import snapshot as snapshots
from reconciler.catalog.scope import Scope
from reconciler.embedded import available
from reconciler.model import Cell, Snapshot
from reconciler.pg import Url, connect
from reconciler.platforms import managed_schemas, prelude
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.tenants import world
from reconciler.shadow.tenants.values import World

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Seen:
    """What attacks on a schema came to, and an empty copy of it for scripts."""

    empty: Url
    snapshot: Snapshot
    world: World
    result: Attacked

    def cell(self, object: str, command: str, identity: str) -> Cell:
        found = [
            c
            for c in self.result.cells
            if str(c.object) == object and c.command == command and c.identity == identity
        ]
        assert len(found) == 1, (object, command, identity)
        return found[0]


@contextmanager
def attacks_on(server: Shadow, *scripts: str) -> Iterator[Seen]:
    """A schema of these scripts on what looks like Supabase, attacked."""
    start = server.create()
    with connect(start) as session:
        session.execute(prelude("supabase").encode())
        for text in scripts:
            session.execute(text.encode())
        scope = Scope(hidden=managed_schemas("supabase"))
        snapshot = snapshots.read(session, scope)
    with world.build(
        server, start, tenant_column="tenant_id", declared={"public.countries": "global"}
    ) as made:
        yield Seen(start, snapshot, made, attacked(made, snapshot))


def printed(seen: Seen, script: str) -> str:
    """What psql says to a script on the empty copy."""
    run = subprocess.run(
        [available()[-1].program("psql"), "-X", "-q"],
        input=script,
        text=True,
        capture_output=True,
        env={**os.environ, **seen.empty.environment()},
        timeout=60,
    )
    return run.stdout + run.stderr
