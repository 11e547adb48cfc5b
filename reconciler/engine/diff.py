"""The difference of two sources, as a plan with or without its rehearsal."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.catalog import confidential
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.engine import slicing
from reconciler.engine.sources import Materialised, major_of, materialised, sees_connections
from reconciler.model import Form, Plan, Rehearsal
from reconciler.pg import Url
from reconciler.plan.build import Bench, build
from reconciler.shadow.rehearse import Expected
from reconciler.shadow.scratch import Shadow, shadow


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
    form: Form = "plain",
    told: Callable[[str], None] = lambda stage: None,
) -> Difference:
    """Compares two of: URL, .sql file, schema directory, "empty". `where` is the shadow to do it on. In the
    `form` "quarantine" drops keep the rows.

    Raises Usage for a source that cannot be read, Stalled for one PostgreSQL rejects, Waiting when a server is not there.
    """
    salt = secrets.token_hex(32)
    with shadow(where, major=major_of(before, after)) as server:
        scope = replace(scope, connections=sees_connections(server, before, after))
        told(f"load {before}")
        one = materialised(before, server, scope, salt)
        told(f"load {after}")
        other = materialised(after, server, scope, salt)
        plan, rehearsal = _planned(server, one, other, scope, prove, use_migra, form, told)
        secret = confidential.different(one.secrets, other.secrets)
        plan = replace(plan, unmodelled=tuple(sorted({*plan.unmodelled, *secret})))
        return Difference(plan, rehearsal if prove else None, before, after, server.major)


def _planned(
    server: Shadow,
    one: Materialised,
    other: Materialised,
    scope: Scope,
    prove: bool,
    use_migra: bool,
    form: Form,
    told: Callable[[str], None],
) -> tuple[Plan, Rehearsal]:
    """On a slice of the two where they are large, else on the whole of them."""
    notes: tuple[str, ...] = ()
    if slicing.worthwhile(one.snapshot, other.snapshot):
        told("build the slice")
        try:
            return slicing.planned(
                server, one.snapshot, other.snapshot, read_as=scope, scope=scope, owners=(one.owner, other.owner),
                ends=(one.snapshot.fingerprint, other.snapshot.fingerprint),
                bench=lambda part: Bench(server, part.before, part.after, part.states, form=form, told=told),
                prove=prove, use_migra=use_migra,
            )  # fmt: skip
        except slicing.Unsliceable as reason:
            notes = (f"planned on the whole database, not on a slice of it: {reason}",)
    bench = Bench(
        server, one.made(), other.made(), Expected(one.snapshot, other.snapshot, scope), form=form, told=told
    )
    plan, rehearsal = build(bench, prove=prove, use_migra=use_migra)
    return replace(plan, notes=(*plan.notes, *notes)), rehearsal
