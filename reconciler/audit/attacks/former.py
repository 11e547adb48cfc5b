"""Reading everything as somebody whose membership of tenant B has ended: the row that says so is still there.

A policy, or a function that it asks, may look for the row and forget to look whether it counts. Knows tables of members with a column that says
that one is over (`revoked_at`, `is_removed`, `active`); what is shown of that row itself is no news.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.audit.attacks.reads import lines, query
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.audit.scene import Kept, Scene, value
from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Column, Relation

_ENDED = re.compile(
    r"(^|_)(deleted|removed|revoked|suspended|disabled|deactivated|banned|blocked|left|ended|expelled|cancell?ed)(_at|_on)?$"
)
_LASTING = re.compile(r"(^|_)(active|enabled)$")
_FEW = 2


def attacks(target: Target) -> Attacks:
    identity, scene = target.identity, target.scene
    carried = {word for text in identity.settings.values() for word in re.findall(r"[\w-]+", text)}
    people = [user for user in scene.people(identity) if user in carried]
    if (
        identity.sides != ("A",)
        or not people
        or not target.possible("SELECT")
        or target.rights.ruled("SELECT")
    ):
        return
    if not scene.rows(target.base, "B"):
        return
    below = {table.oid for table in scene.beneath(target.relation)}
    for members, column, ended in _endings(scene):
        if members.oid in below:  # what it says of oneself
            continue
        for row in scene.rows(members, "B")[:_FEW]:
            done = yield Attack(
                target.id,
                "SELECT",
                f"reads every row, once a member of tenant B ({column.name} of {members.id} says that this is over)",
                lines(query(target)),
                "ATK013",
                (_put(scene, members, row, people[0], column, ended),),
                compared=True,
                reads=True,
                aside=True,
            )
            if done.leaked:
                return


def _endings(scene: Scene) -> Iterator[tuple[Relation, Column, str]]:
    """The tables that pair tenants with users, each with a column that ends a membership, and the value that does."""
    for relation in scene.catalogue.relations.values():
        owned = scene.owner_of(relation)
        if (
            relation.kind not in ("r", "p")
            or relation.above
            or owned.ownership != "membership"
            or len(owned.columns) < 2
        ):
            continue
        for column in relation.columns:
            over = bool(_ENDED.search(column.name))
            if column.generated or not (over or _LASTING.search(column.name)):
                continue
            if column.type == "boolean":
                yield relation, column, "true" if over else "false"
            elif over and column.type.startswith(("timestamp", "date")):
                yield relation, column, "2024-01-01"


def _put(scene: Scene, members: Relation, row: Kept, user: str, column: Column, ended: str) -> str:
    """The row of a member of B, for this user, and over. Keys that say neither which tenant nor which user are left to their defaults."""
    owned = scene.owner_of(members).columns
    values = {**row.values, owned[1]: user, column.name: ended}
    held = [
        c.name
        for c in members.columns
        if not c.generated and (c.name in owned or c.name not in members.primary)
    ]
    names = ", ".join(ident(name) for name in held)
    given = ", ".join(value(members, name, values) for name in held)
    return f"insert into {members.sql} ({names}) overriding system value values ({given})"
