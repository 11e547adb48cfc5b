"""What the objects of a database are called while a plan renames them one after another.

Knows what follows its whole: parts their table, everything its schema, argument types their type. Never touches a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.model import ObjectId, Snapshot
from reconciler.pg import ident
from reconciler.plan.rename_shapes import PARTS, ROUTINES, TYPES

_WITH_THEIR_NAME = frozenset({"default", "owned_by", "partition", "replica_identity", "clustered"})
"""Kinds that carry the name of the object they belong to, beside the parts that can be renamed."""
_NAME = r'("(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'


class Names:
    """`now` maps what an object is called now to what it was called in `side`. Mutable: `rename` is called step by step."""

    def __init__(self, side: Snapshot) -> None:
        self.side = side
        self.now: dict[ObjectId, ObjectId] = {id: id for id in (*side.facts, *inner(side))}

    def found(self, said: ObjectId) -> ObjectId | None:
        """What the object is called now that an author calls `said`: by its present name, or by the one it began with."""
        if said in self.now:
            return said
        if said.kind in ROUTINES:
            return routine(self.now, said)
        return next((now for now, then in self.now.items() if then == said), None)

    def rename(self, old: ObjectId, new: ObjectId) -> None:
        """Everything that is called by the old name, or by a name with the old one in it, is called by the new one."""
        changed = {}
        then = self.now.get(old)
        inherited = (
            set(self._inherited(then)) if then is not None and old.kind in ("column", "constraint") else set()
        )
        for id in list(self.now):
            called = self._called(id, old, new, then)
            if self.now[id] in inherited:
                called = id._replace(part=new.part)
            if called != id:
                changed[called] = self.now.pop(id)
        self.now |= changed

    def _inherited(self, then: ObjectId) -> Iterator[ObjectId]:
        """The same part of partitions and children: it is renamed with that of their parent (manual: ALTER TABLE, RENAME)."""
        todo, seen = [ObjectId("table", then.schema, then.name)], {then}
        while todo:
            for user in self.side.dependents.get(todo.pop(), ()):
                part = then._replace(schema=user.schema, name=user.name)
                fact = self.side.facts.get(part)
                own = fact is None or (then.kind == "constraint" and not fact["inherited"])
                if user.kind in ("table", "foreign_table", "partition") and part not in seen and not own:
                    seen.add(part)
                    todo.append(ObjectId("table", user.schema, user.name))
                    yield part

    def moved(self) -> Iterator[tuple[ObjectId, ObjectId]]:
        """(before, now) for everything that is called differently."""
        return ((then, now) for now, then in self.now.items() if now != then)

    def _called(self, id: ObjectId, old: ObjectId, new: ObjectId, then: ObjectId | None) -> ObjectId:
        if old.kind == "schema":
            return self._in_schema(id, old.name, new.name)
        if old.kind in TYPES and id.kind in ROUTINES:
            was, called = ident(old.schema, old.name), ident(new.schema, new.name)
            return _replaced(
                id, part=re.sub(rf'(?<![\w".]){re.escape(was)}(?![\w".])', lambda _: called, id.part)
            )
        if (id.schema, id.name) == (old.schema, old.name):
            if old.kind in PARTS:
                own = id == old or (old.kind == "column" and id.kind == "default" and id.part == old.part)
                return _replaced(id, part=new.part) if own else id
            if id == old or (old.kind not in ROUTINES and id.kind in PARTS | _WITH_THEIR_NAME):
                return _replaced(id, schema=new.schema, name=new.name)
        if old.schema != new.schema and id.schema == old.schema and self._goes_along(id, then):
            return _replaced(id, schema=new.schema)
        return id

    def _in_schema(self, id: ObjectId, old: str, new: str) -> ObjectId:
        if id.kind == "schema":
            return _replaced(id, name=new) if id.name == old else id
        part = id.part
        if id.kind in ROUTINES:
            part = re.sub(rf'(?<![\w".]){re.escape(ident(old))}\.', lambda _: f"{ident(new)}.", part)
        return _replaced(id, schema=new if id.schema == old else id.schema, part=part)

    def _goes_along(self, id: ObjectId, then: ObjectId | None) -> bool:
        """Indexes and owned sequences move with their table into another schema (manual: ALTER TABLE, SET SCHEMA)."""
        fact = self.side.facts.get(self.now[id])
        if fact is None or then is None:
            return False
        if id.kind == "index":
            return fact.parent == then
        if id.kind in ("sequence", "owned_by"):
            owned = self.side.facts.get(ObjectId("owned_by", fact.id.schema, fact.id.name))
            return owned is not None and (owned["schema"], owned["table"]) == (then.schema, then.name)
        return False


def inner(side: Snapshot) -> Iterator[ObjectId]:
    """Values of enums and attributes of composite types, which are no facts of their own."""
    for fact in side.by_kind.get("enum", ()):
        for value in fact["values"] or ():
            yield ObjectId("enum_value", fact.id.schema, fact.id.name, value)
    for fact in side.by_kind.get("composite", ()):
        for member in fact["members"] or ():
            yield ObjectId("attribute", fact.id.schema, fact.id.name, member["name"])


def routine(ids: dict[ObjectId, ObjectId], said: ObjectId) -> ObjectId | None:
    """The routine an author means, whose argument types PostgreSQL may print differently: the only one of that name, or the
    only one whose arguments are the same but for schemas and spaces."""
    named = [id for id in ids if (id.kind, id.schema, id.name) == (said.kind, said.schema, said.name)]
    alike = [id for id in named if _plain(id.part) == _plain(said.part)]
    return alike[0] if len(alike) == 1 else None


def last(printed: str) -> str:
    """The name in a qualified one that PostgreSQL printed."""
    names = re.findall(_NAME, printed)
    name = names[-1] if names else printed
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _plain(arguments: str) -> str:
    return re.sub(rf"{_NAME}\.", "", arguments).replace(" ", "").replace('"', "").lower()


def _replaced(id: ObjectId, *, schema: str = "", name: str = "", part: str | None = None) -> ObjectId:
    return ObjectId(id.kind, schema or id.schema, name or id.name, id.part if part is None else part)
