"""A snapshot as it would be read after renames, without doing them: for what is shown and for hazards, never for a plan.

Names are exchanged in identities, edges and in the text of what speaks of the renamed object. The text is only exchanged where
it then says exactly what the other side says: what differs otherwise goes on differing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from reconciler.model import Change, Fact, Json, ObjectId, Snapshot
from reconciler.pg import ident, literal
from reconciler.plan.rename_shapes import PARTS, ROUTINES, SHAPES

Moved = Mapping[ObjectId, ObjectId]
"""What each object that is called differently was called before → is called now."""


def moved_between(
    then: Mapping[ObjectId, object], now: Mapping[ObjectId, object]
) -> dict[ObjectId, ObjectId]:
    """The objects of one database that kept their address and are called differently."""
    called = {address: id for id, address in now.items()}
    return {
        id: called[address]
        for id, address in then.items()
        if address in called and called[address] != id and called[address].kind == id.kind
    }


def rename_changes(moved: Moved) -> tuple[Change, ...]:
    """The renames among `moved`: what is only in or of something renamed is left out."""
    found = []
    for then, now in sorted(moved.items()):
        if then.kind not in SHAPES:
            continue
        own = then.part != now.part if now.kind in PARTS else then.name != now.name
        came = (
            now.kind not in PARTS
            and then.schema != now.schema
            and moved.get(ObjectId("schema", "", then.schema)) != ObjectId("schema", "", now.schema)
        )
        if own or came:
            found.append(Change("alter", now, ("name",), was=then))
    return tuple(found)


def relabelled(side: Snapshot, moved: Moved, other: Snapshot) -> Snapshot:
    """`side` with its objects called as `moved` says."""
    if not moved:
        return side
    words = _words(moved)
    facts: dict[ObjectId, Fact] = {}
    for id, fact in side.facts.items():
        called = replace(
            fact, id=moved.get(id, id), parent=moved.get(fact.parent, fact.parent) if fact.parent else None
        )
        there = other.facts.get(called.id)
        if there is not None and there.digest != called.digest:
            spoken = {key: _exchanged(value, words) for key, value in fact.attributes.items()}
            if spoken == there.attributes:
                called = replace(called, attributes=there.attributes, digest=there.digest)
        facts[called.id] = called
    edges = {
        moved.get(id, id): frozenset(moved.get(need, need) for need in needs)
        for id, needs in side.edges.items()
    }
    return Snapshot(
        {id: fact.digest for id, fact in facts.items()}, facts, edges, side.unmodelled, side.major
    )


def exchanged(value: Json, moved: Moved) -> Json:
    """An attribute with the names in its text as `moved` says."""
    return _exchanged(value, _words(moved))


def _words(moved: Moved) -> list[tuple[re.Pattern[str], str]]:
    """What to look for in texts and what to put there, longest first."""
    pairs: dict[str, str] = {}
    for then, now in moved.items():
        if then.kind == "enum_value":
            pairs |= {literal(then.part): literal(now.part), then.part: now.part}
        elif then.kind in PARTS:
            pairs[ident(then.part)] = ident(now.part)
            pairs[then.part] = now.part
        elif then.kind == "schema":
            pairs[ident(then.name) + "."] = ident(now.name) + "."
        elif not then.part or then.kind in ROUTINES:
            pairs[ident(then.schema, then.name)] = ident(now.schema, now.name)
            pairs[ident(then.name)] = ident(now.name)
            pairs[then.name] = now.name
    changed = sorted(((a, b) for a, b in pairs.items() if a != b), key=lambda pair: (-len(pair[0]), pair))
    return [
        (re.compile(rf'(?<![\w"$]){re.escape(a)}' + ("" if a.endswith(".") else r'(?![\w"$])')), b)
        for a, b in changed
    ]


def _exchanged(value: Json, words: list[tuple[re.Pattern[str], str]]) -> Json:
    if isinstance(value, str):
        for pattern, word in words:
            value = pattern.sub(word.replace("\\", "\\\\"), value)
        return value
    if isinstance(value, dict):
        return {_exchanged(key, words): _exchanged(inner, words) for key, inner in value.items()}
    return [_exchanged(inner, words) for inner in value] if isinstance(value, list) else value
