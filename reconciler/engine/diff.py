"""The difference of two sources, as a plan with or without its rehearsal."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from reconciler.catalog import confidential
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.engine.sources import major_of, materialised, sees_connections
from reconciler.model import Plan, Rehearsal
from reconciler.pg import Url
from reconciler.plan.build import Bench, build
from reconciler.shadow.rehearse import Expected
from reconciler.shadow.scratch import shadow

Form = Literal["plain", "quarantine"]


@dataclass(frozen=True, slots=True)
class Difference:
    """What separates two sources. `rehearsal` is None unless it was asked for."""

    plan: Plan
    rehearsal: Rehearsal | None
    before: str
    after: str
    major: int


def diff(
    before: str,
    after: str,
    *,
    where: str | Url = "auto",
    prove: bool = False,
    scope: Scope = EVERYTHING,
    use_migra: bool = True,
    told: Callable[[str], None] = lambda stage: None,
) -> Difference:
    """Compares two of: URL, .sql file, schema directory, "empty". `where` is the shadow to do it on.

    Raises Usage for a source that cannot be read, Stalled for one PostgreSQL rejects, Waiting when a server is not there.
    """
    salt = secrets.token_hex(32)
    with shadow(where, major=major_of(before, after)) as server:
        scope = replace(scope, connections=sees_connections(server, before, after))
        told(f"load {before}")
        one = materialised(before, server, scope, salt)
        told(f"load {after}")
        other = materialised(after, server, scope, salt)
        bench = Bench(
            server, one.database, other.database, Expected(one.snapshot, other.snapshot, scope), told=told
        )
        plan, rehearsal = build(bench, prove=prove, use_migra=use_migra)
        secret = confidential.different(one.secrets, other.secrets)
        plan = replace(plan, unmodelled=tuple(sorted({*plan.unmodelled, *secret})))
        return Difference(plan, rehearsal if prove else None, before, after, server.major)
