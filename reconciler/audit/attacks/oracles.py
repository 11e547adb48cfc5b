"""What constraints tell: whether a key of B's exists, although its row stays hidden.

A row of A's own is put back with B's value in a unique key, or with a reference to a row of B's. Keys that nobody can guess or
that mean nothing (generated ones) are left out.
"""

from __future__ import annotations

from reconciler.audit.attacks.arena import taken_away
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks


def attacks(target: Target) -> Attacks:
    columns, mine, theirs = target.writable(target.rights.insert), target.own()[:1], target.foreign()[:1]
    if target.relation.kind not in ("r", "p") or not target.rights.may("INSERT") or not mine or not theirs:
        return
    away = (taken_away(target.base, mine),)
    for key in target.base.unique:
        if set(key) & set(target.deciding) or not set(key) <= set(columns) or _meaningless(target, key):
            continue
        if any(theirs[0].values[name] is None for name in key):
            continue
        values = {**mine[0].values, **{name: theirs[0].values[name] for name in key}}
        yield Attack(
            target.id,
            "INSERT",
            f"tries a value of tenant B in the unique key ({', '.join(key)})",
            target.insertion(columns, values),
            "ATK002",
            away,
            compared=True,
            oracle="ATK021",
            aside=True,
        )
    for link in target.base.keys:
        parent = target.scene.catalogue.relations.get(link.target)
        if (
            parent is None
            or set(link.columns) & set(target.deciding)
            or not set(link.columns) <= set(columns)
        ):
            continue
        rows = target.scene.rows(parent, "B")[:1]
        if not rows or target.scene.owner_of(parent).ownership == "global":
            continue
        if parent.id == target.scene.world.tenancy.users:  # people may be in several tenants
            continue
        pointed = {mine_: rows[0].values[it] for mine_, it in zip(link.columns, link.theirs, strict=True)}
        yield Attack(
            target.id,
            "INSERT",
            f"refers to a row of tenant B in {parent.id} by ({', '.join(link.columns)})",
            target.insertion(columns, {**mine[0].values, **pointed}),
            "ATK002",
            away,
            compared=True,
            oracle="ATK022",
            aside=True,
        )


def _meaningless(target: Target, key: tuple[str, ...]) -> bool:
    """A single column that fills itself, or that nobody can guess."""
    column = target.base.column(key[0])
    random = column is not None and column.type in ("uuid", "bytea")
    return len(key) == 1 and (random or (target.base.oid, key[0]) in target.scene.surface.filled)
