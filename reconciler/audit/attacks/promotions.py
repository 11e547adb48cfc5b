"""Reading everything after a step up: who may change the row that says what they are, changes it first, and looks again."""

from __future__ import annotations

from reconciler.audit.attacks.reads import lines, query
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.audit.steps import steps


def attacks(target: Target) -> Attacks:
    if not target.possible("SELECT") or not target.scene.rows(target.base, "B"):
        return
    if target.rights.ruled("SELECT"):
        return
    for step in steps(target.scene, target.identity):
        if step.setup and step.oid == target.base.oid:  # what one put in oneself is no news
            continue
        done = yield Attack(
            target.id,
            "SELECT",
            f"{step.does}, then reads every row",
            lines(query(target)),
            "ATK012",
            step.setup,
            before=((target.identity, step.sql),),
            compared=True,
            reads=True,
            aside=True,
        )
        if done.leaked:
            return
