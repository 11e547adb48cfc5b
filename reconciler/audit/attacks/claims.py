"""Sessions that carry what must not help: no claims at all, empty ones, and B's keys where users write about themselves.

A setting that was never made reads NULL, one that an earlier request of the session made reads '': both are tried. Supabase lets users
write user_metadata themselves, so what stands there is in the token and in auth.users.
"""

from __future__ import annotations

import json

from reconciler.audit.attacks.arena import arena
from reconciler.audit.attacks.reads import lines, query
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.pg import ident, literal
from reconciler.shadow.tenants.identities import JWT, variants
from reconciler.shadow.tenants.values import Identity


def attacks(target: Target) -> Attacks:
    rows = target.foreign()[:1]
    if not target.rights.bound and target.relation.kind != "v":
        return
    if not rows:
        return
    for variant in variants(target.identity, target.scene.world):
        forged = "user_metadata" in variant.settings.get(JWT, "")
        rule = "ATK009" if forged else "ATK011"
        how = f"as {variant.name.removeprefix(target.identity.name + ', ')}"
        setup = _written_by_users(target, variant) if forged else ()
        fresh = not variant.settings
        if target.possible("SELECT"):
            yield Attack(
                target.id,
                "SELECT",
                f"reads every row {how}",
                lines(query(target)),
                rule,
                setup,
                compared=True,
                reads=True,
                by=variant,
                fresh=fresh,
                aside=True,
            )
        columns = target.changeable()
        if target.possible("UPDATE") and columns:
            yield Attack(
                target.id,
                "UPDATE",
                f"changes rows of tenant B {how}",
                f"update {target.sql} set {target.assignments(columns[:1], rows[0].values)}",
                rule,
                (*setup, *arena(target.scene, target.base, rows)),
                by=variant,
                fresh=fresh,
                aside=True,
            )
        if target.possible("DELETE"):
            yield Attack(
                target.id,
                "DELETE",
                f"deletes rows of tenant B {how}",
                f"delete from {target.sql}",
                rule,
                (*setup, *arena(target.scene, target.base, rows)),
                by=variant,
                fresh=fresh,
                aside=True,
            )
        columns = target.writable(target.rights.insert)
        if target.possible("INSERT") and columns:
            yield Attack(
                target.id,
                "INSERT",
                f"inserts a row of tenant B {how}",
                target.insertion(columns, rows[0].values),
                rule,
                (*setup, *target.room_for(rows[0], rows[0].values)),
                by=variant,
                fresh=fresh,
                aside=True,
            )


def _written_by_users(target: Target, variant: Identity) -> tuple[str, ...]:
    """The same metadata in the row of the user, where the platform keeps it."""
    users = next(
        (r for r in target.scene.catalogue.relations.values() if r.id == target.scene.world.tenancy.users),
        None,
    )
    people = target.scene.people(target.identity)
    if users is None or users.column("raw_user_meta_data") is None or not users.primary or not people:
        return ()
    written = json.dumps(json.loads(variant.settings[JWT]).get("user_metadata", {}))
    return (
        f"update {users.sql} set raw_user_meta_data = {literal(written)}"
        f" where {ident(users.primary[0])}::text = {literal(people[0])}",
    )
