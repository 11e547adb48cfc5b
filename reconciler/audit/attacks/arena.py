"""What the harness prepares: which rows there are when the attack comes, so that nothing but rights can stand in its way.

A row of B is taken away so that the attacker can put exactly it back: every constraint is known to allow it. Rows that refer to
a row are taken away so that a foreign key does not hide that the row could have been deleted. What an attack without WHERE meets is
narrowed to the rows that it is about. All of it is SQL for a superuser in replica mode, where neither triggers nor keys interfere.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.audit.attempt import REMOVED
from reconciler.audit.scene import Kept, Scene, same
from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Relation


def taken_away(relation: Relation, rows: Sequence[Kept]) -> str:
    """Deletes these rows."""
    return f"delete from {relation.sql} as x where {_any(relation, rows)} returning {REMOVED}"


def unreferenced(
    scene: Scene, relation: Relation, rows: Sequence[Kept], *, own: bool = False, stays: bool = False
) -> list[str]:
    """Deletes the rows of other tables that refer to these; of A's own (`own`) not those that say who belongs to what, and where the
    row itself `stays`, none that policies ask."""
    kept = scene.authority if own else set()
    kept = kept | scene.consulted if stays else kept
    family = {relation.oid}
    above = relation.above
    while above:
        family.add(above)
        above = scene.relation(above).above if above in scene.catalogue.relations else 0
    found = []
    for key in scene.surface.keys:
        if key.parent not in family or key.child in family or key.child not in scene.catalogue.relations:
            continue
        if key.child in kept:
            continue
        child = scene.relation(key.child)
        pairs = " and ".join(
            f"x.{ident(mine)} = y.{ident(theirs)}"
            for mine, theirs in zip(key.columns, key.theirs, strict=True)
        )
        target = f"select from {relation.sql} as y where {pairs} and ({_any(relation, rows, 'y')})"
        found.append(f"delete from {child.sql} as x where exists ({target}) returning {REMOVED}")
    return found


def arena(
    scene: Scene, relation: Relation, rows: Sequence[Kept], *, own: bool = False, stays: bool = False
) -> tuple[str, ...]:
    """Leaves only these rows in the relation, and none that refers to them.

    Of a table that says who belongs to what A's rows stay, too: without them the attacker would be nobody.
    """
    found = unreferenced(scene, relation, rows, own=own, stays=stays)
    others = [row for row in scene.rows(relation, "B") if row not in rows]
    if relation.oid in scene.authority:
        found += [taken_away(relation, others)] if others and not own else []
    else:
        found.append(
            f"delete from {relation.sql} as x where not ({_any(relation, rows)}) returning {REMOVED}"
        )
    return tuple(found)


def inner_circle(
    scene: Scene, relation: Relation, rows: Sequence[Kept], mine: Sequence[Kept], *, unbound: bool
) -> tuple[str, ...]:
    """The same for a table that policies consult: beside these rows only the attacker's own stay, and what refers to them and does not
    say who belongs to what goes. `unbound`: the keys of what stays are dropped, else they would keep the attacker's own row from going."""
    everybody = [*scene.rows(relation, "A"), *scene.rows(relation, "B")]
    others = [row for row in everybody if row not in rows and row not in mine]
    found = unreferenced(scene, relation, rows) + unreferenced(scene, relation, mine, own=True)
    if others:
        found.append(taken_away(relation, others))
    for key in scene.surface.keys if unbound else ():
        if key.parent == relation.oid and key.child in scene.authority:
            child = scene.relation(key.child)
            found.append(f"alter table {child.sql} drop constraint if exists {ident(key.name)}")
    return tuple(found)


def _any(relation: Relation, rows: Sequence[Kept], alias: str = "x") -> str:
    return " or ".join(f"({same(relation, row, alias)})" for row in rows) or "false"
