"""The objects that we created or adopted: only these may be dropped because a declaration is gone.

Kept in the transaction of the change itself. Knows nothing of parts: columns, policies and their like
belong to their table, unless that is the platform's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from reconciler.migrate.history import Connection, permitted, there
from reconciler.model import Change, ObjectId


def owned(connection: Connection) -> dict[ObjectId, str]:
    """Every object of the inventory with the version that brought it; empty where nothing was ever applied."""
    with permitted(connection):
        if not there(connection, "inventory"):
            return {}
        rows = connection.execute(
            "select kind, schema, name, part, version from reconciler.inventory order by kind, schema, name, part"
        ).fetchall()
    return {ObjectId(kind, schema, name, part): version for kind, schema, name, part, version in rows}


def adopt(connection: Connection, ids: Iterable[ObjectId], version: str) -> None:
    """Enters objects; those that are known keep the version that brought them."""
    rows = [(id.kind, id.schema, id.name, id.part, version) for id in sorted(set(ids))]
    with permitted(connection), connection.cursor() as cursor:
        cursor.executemany(
            "insert into reconciler.inventory (kind, schema, name, part, version) values (%s, %s, %s, %s, %s)"
            " on conflict do nothing",
            rows,
        )


def release(connection: Connection, ids: Iterable[ObjectId]) -> None:
    """Strikes objects out."""
    rows = [(id.kind, id.schema, id.name, id.part) for id in sorted(set(ids))]
    with permitted(connection), connection.cursor() as cursor:
        cursor.executemany(
            "delete from reconciler.inventory where kind = %s and schema = %s and name = %s and part = %s",
            rows,
        )


def follow(
    connection: Connection,
    changes: Sequence[Change],
    version: str,
    moved: Mapping[ObjectId, ObjectId] | None = None,
    lent: Collection[str] = (),
) -> None:
    """Enters what `changes` create and strikes out what they drop. What `moved` says is called differently (before → after) is
    ours afterwards if it was before, and keeps the version that brought it. In the schemas `lent` a part stands for itself: its table is
    not ours."""
    renamed = moved or {}
    if renamed:
        ours = {id: version for id, version in owned(connection).items() if id in renamed}
        release(connection, ours)
        for id, brought in ours.items():
            adopt(connection, [renamed[id]], brought)
    whole = [c for c in changes if not c.id.part or c.id.part.startswith("(") or c.id.schema in lent]
    known = {*renamed, *renamed.values()}
    release(connection, (c.id for c in whole if c.verb == "drop" and c.id not in known))
    adopt(connection, (c.id for c in whole if c.verb == "create" and c.id not in known), version)
