"""A statement prepared while the session served B, executed while it serves A: what a pool of connections does all day.

PostgreSQL plans anew when the role changes, but not when a setting does: a policy that asks an IMMUTABLE function has B's answer in
the plan.
"""

from __future__ import annotations

from reconciler.audit.attacks.reads import lines, query
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks

PLAN = "reconciler_plan"


def attacks(target: Target) -> Attacks:
    if not target.rights.may("SELECT") or "A" not in target.identity.sides or not target.foreign():
        return
    if not target.rights.bound and target.relation.kind != "v":
        return
    rows = lines(query(target))
    planned = (
        f"prepare {PLAN} as {rows};\nset local plan_cache_mode = force_generic_plan;\nexplain execute {PLAN}"
    )
    yield Attack(
        target.id,
        "SELECT",
        "executes a statement that was planned for somebody of B",
        f"execute {PLAN}",
        "ATK010",
        (),
        ((target.scene.rival(target.identity), planned),),
        compared=True,
        query=rows,
        aside=True,
    )
