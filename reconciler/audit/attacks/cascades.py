"""What a foreign key does by itself: a row of B that refers to a row of A goes, or loses its reference, when A deletes its own row.

B first makes the reference, with B's own rights. Where B cannot, the harness makes it, and the finding is a warning: such a row can
only come from elsewhere.
"""

from __future__ import annotations

from reconciler.audit.attacks.arena import arena
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.audit.scene import same
from reconciler.audit.surface import Actions
from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Relation


def attacks(target: Target) -> Attacks:
    mine = target.own()[:1]
    if target.relation.kind not in ("r", "p") or not target.possible("DELETE") or not mine:
        return
    if "A" not in target.identity.sides:
        return
    scene, rival = target.scene, target.scene.rival(target.identity)
    for key in scene.surface.keys:
        if key.parent != target.base.oid or key.deleted not in ("c", "n", "d") or key.child == key.parent:
            continue
        child = scene.catalogue.relations.get(key.child)
        if child is None or set(key.columns) & set(scene.owner_of(child).columns):
            continue
        rows = scene.rows(child, "B")[:1]
        if not rows:
            continue
        pointed = _pointed(child, key, target, mine[0].values)
        repoint = f"update {child.sql} as x set {pointed} where {same(child, rows[0])}"
        kept = arena(scene, target.base, mine, own=True)
        watched = tuple(scene.leaves(child))
        does = f"deletes a row of A to which a row of tenant B in {child.id} refers"
        sql = f"delete from {target.sql}"
        done = yield Attack(
            target.id, "DELETE", does, sql, "ATK008", kept, ((rival, repoint),), watched=watched, aside=True
        )
        if done.leaked or done.ready:
            continue
        yield Attack(target.id, "DELETE", does, sql, "ATK025", (*kept, repoint), watched=watched, aside=True)


def _pointed(child: Relation, key: Actions, target: Target, values: object) -> str:
    row = values if isinstance(values, dict) else {}
    return ", ".join(
        f"{ident(mine)} = {target.values([theirs], row)}"
        for mine, theirs in zip(key.columns, key.theirs, strict=True)
    )
