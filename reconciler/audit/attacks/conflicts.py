"""The ways to write that look first: INSERT … ON CONFLICT DO UPDATE upon a key of B's, and MERGE (PostgreSQL 15 and later)."""

from __future__ import annotations

from reconciler.audit.attacks.arena import arena
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.pg import ident


def attacks(target: Target) -> Attacks:
    rights, rows = target.rights, target.foreign()[:1]
    if target.relation.kind not in ("r", "p") or not rows:
        return
    columns, changed = target.writable(rights.insert), target.changeable()
    if rights.may("INSERT") and rights.may("UPDATE") and columns and changed:
        mine = target.own()
        for key in target.base.unique:
            if not set(key) <= set(columns):
                continue
            values = dict(rows[0].values)
            if mine:  # A's own row, but for the key: then the policy for INSERT lets it pass
                values |= {k: v for k, v in mine[0].values.items() if k in target.deciding and k not in key}
            names = ", ".join(ident(name) for name in key)
            done = yield Attack(
                target.id,
                "UPDATE",
                "inserts upon a key of tenant B, and updates the row that is in the way",
                f"{target.insertion(columns, values)} on conflict ({names}) do update set"
                f" {ident(changed[0])} = excluded.{ident(changed[0])}",
                "ATK003",
                aside=True,
            )
            if done.leaked:
                return
    if target.scene.both.connection.info.server_version < 150000:
        return
    into = f"merge into {target.sql} using (select 1) as s (one) on true when matched then"
    if rights.may("UPDATE") and changed:
        yield Attack(
            target.id,
            "UPDATE",
            "changes rows of tenant B by MERGE",
            f"{into} update set {target.assignments(changed[:1], rows[0].values)}",
            "ATK003",
            arena(target.scene, target.base, rows),
            aside=True,
        )
    if rights.may("DELETE"):
        yield Attack(
            target.id,
            "DELETE",
            "deletes rows of tenant B by MERGE",
            f"{into} delete",
            "ATK004",
            arena(target.scene, target.base, rows),
            aside=True,
        )
