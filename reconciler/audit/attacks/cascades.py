"""What a foreign key does by itself: a row of B that refers to a row of A goes, or is changed, when A deletes its own row or gives it another key.

B first makes the reference, with B's own rights. Where B cannot, the harness makes it, and the finding is a warning: such a row can
only come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.attacks.arena import arena
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.audit.scene import same
from reconciler.audit.surface import Actions
from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Relation

_REACH = ("c", "n", "d")
"""pg_constraint's letters for CASCADE, SET NULL and SET DEFAULT."""


def attacks(target: Target) -> Attacks:
    mine = target.own()[:1]
    if target.relation.kind not in ("r", "p") or not mine or "A" not in target.identity.sides:
        return
    scene = target.scene
    for key in scene.surface.keys:
        child = scene.catalogue.relations.get(key.child)
        if key.parent != target.base.oid or child is None or key.child == key.parent:
            continue
        rows = scene.rows(child, "B")[:1]
        if not rows or set(key.columns) & set(scene.owner_of(child).columns):
            continue
        pointed = _pointed(child, key, target, mine[0].values)
        repoint = f"update {child.sql} as x set {pointed} where {same(child, rows[0])}"
        for command, sql in _ways(target, key):
            yield from _both(target, child, command, sql, repoint)


def _ways(target: Target, key: Actions) -> Iterator[tuple[str, str]]:
    """How A's row can go, or get another key (that of a row of B, which is not there then)."""
    if key.deleted in _REACH and target.possible("DELETE"):
        yield "DELETE", f"delete from {target.sql}"
    theirs = target.foreign()[:1]
    free = set(key.theirs) <= set(target.changeable()) - set(target.deciding)
    if key.updated in _REACH and target.possible("UPDATE") and free and theirs:
        yield "UPDATE", f"update {target.sql} set {target.assignments(key.theirs, theirs[0].values)}"


def _both(target: Target, child: Relation, command: str, sql: str, repoint: str) -> Attacks:
    """The reference made by B, and where that leads to nothing, by the harness."""
    scene = target.scene
    kept = arena(scene, target.base, target.own()[:1], own=True)
    watched = tuple(scene.leaves(child))
    verb = "deletes" if command == "DELETE" else "gives another key to"
    does = f"{verb} a row of A to which a row of tenant B in {child.id} refers"
    by_b = ((scene.rival(target.identity), repoint),)
    done = yield Attack(target.id, command, does, sql, "ATK008", kept, by_b, watched=watched, aside=True)
    if not done.leaked:
        yield Attack(target.id, command, does, sql, "ATK025", (*kept, repoint), watched=watched, aside=True)


def _pointed(child: Relation, key: Actions, target: Target, values: object) -> str:
    row = values if isinstance(values, dict) else {}
    return ", ".join(
        f"{ident(mine)} = {target.values([theirs], row)}"
        for mine, theirs in zip(key.columns, key.theirs, strict=True)
    )
