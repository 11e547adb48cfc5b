"""What looks like a rename although no hint says so: something that goes and something like it that comes.

Only told, never acted upon. Pairs are one to one: where two candidates are equally like, nothing is said. A pure function of
two snapshots.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.errors import Source
from reconciler.model import (
    Change,
    Fact,
    Hazard,
    HazardCode,
    ObjectId,
    Snapshot,
    Statement,
    Suggestion,
    quoted,
)
from reconciler.pg import literal
from reconciler.plan.relabel import exchanged
from reconciler.plan.rename_shapes import PARTS, ROUTINES, SHAPES

ENOUGH = 0.7
"""How like two objects must be, from 0 to about 1.3, to be called alike."""
_APART = 0.05
"""By how much the best match must be better than the next."""
_PLAIN = frozenset({"sequence", "publication", "statistics", "event_trigger", "collation"})
"""Kinds whose objects are often equal without having to do with each other: the names must be alike, too."""

Likeness = Callable[[ObjectId, ObjectId], float]


def suggested(before: Snapshot, after: Snapshot, changes: Iterable[Change]) -> tuple[Suggestion, ...]:
    """The likely renames among `changes`, which lead from `before` to `after`."""
    changes = tuple(changes)
    gone: dict[tuple[str, ...], list[ObjectId]] = {}
    come: dict[tuple[str, ...], list[ObjectId]] = {}
    for change in changes:
        if change.verb != "alter" and change.id.kind in SHAPES:
            side = before if change.verb == "drop" else after
            home = _home(change.id, side, before, after)
            if home is not None:
                (gone if change.verb == "drop" else come).setdefault(home, []).append(change.id)
    found: list[tuple[ObjectId, ObjectId]] = []
    for home in sorted(gone.keys() & come.keys()):
        found += _pairs(gone[home], come[home], _likeness(home[0], before, after))
    for change in changes:
        if change.verb == "alter" and change.id.kind in ("enum", "composite"):
            found += _inner(before.facts[change.id], after.facts[change.id])
    schemas = {old.name for old, _ in found if old.kind == "schema"}
    return tuple(Suggestion(old, new) for old, new in found if old.schema not in schemas)


def told(suggestion: Suggestion, places: Mapping[ObjectId, Source]) -> Suggestion:
    """The suggestion with what to type, and where, when it is known where the new object is declared."""
    old, new = suggestion.old, suggestion.new
    whole = ObjectId(_WHOLE.get(new.kind, "table"), new.schema, new.name)
    place = places.get(new) or (places.get(whole) if new.kind in PARTS else None)
    name = old.part if old.kind in PARTS else old.name
    if place is not None and place.file.endswith(".sql"):
        hint = f"-- reconciler: {_directive(new, name, new in places)}"
    elif new.kind == "enum_value":
        hint = f"{{value: {_yaml(new.part)}, renamed_from: {_yaml(name)}}}"
    else:
        hint = f"renamed_from: {_yaml(name)}"
    return replace(suggestion, hint=hint, place=str(place) if place is not None else "")


def beside(statements: Iterable[Statement], suggestions: Iterable[Suggestion]) -> tuple[Statement, ...]:
    """The statements with each suggestion at the hazard that following it would avoid."""
    likely = {one.old: one for one in suggestions}

    def said(hazard: Hazard, one: Suggestion) -> Hazard:
        if hazard.code is not HazardCode.DELETES_DATA:
            return hazard
        return replace(hazard, consequence=f"{hazard.consequence} But {one}.")

    return tuple(
        replace(s, hazards=tuple(said(hazard, likely[s.subject]) for hazard in s.hazards))
        if s.subject in likely
        else s
        for s in statements
    )


_WHOLE = {"enum_value": "enum", "attribute": "composite", "domain_constraint": "domain"}


def _directive(new: ObjectId, name: str, placed: bool) -> str:
    if new.kind == "enum_value":
        return f"value {literal(new.part)} renamed_from {literal(name)}"
    word = {"attribute": "attribute", "constraint": "constraint", "domain_constraint": "constraint"}.get(
        new.kind, ""
    )
    part = "" if not word or placed else f"{word} {quoted(new.part)} "
    return f"{part}renamed_from {quoted(name)}"


def _yaml(name: str) -> str:
    plain = (
        name.replace("_", "a").isalnum()
        and not name[0].isdigit()
        and name.lower() not in ("true", "false", "null", "yes", "no")
    )
    return name if plain else json.dumps(name, ensure_ascii=False)


def _home(id: ObjectId, side: Snapshot, before: Snapshot, after: Snapshot) -> tuple[str, ...] | None:
    """What two objects must have in common to be compared at all: kind, schema, and of a part the whole, which stays."""
    fact = side.facts.get(id)
    if fact is None or (id.kind == "sequence" and ObjectId("owned_by", id.schema, id.name) in side.facts):
        return None
    if fact.parent is not None:
        if fact.parent not in before.facts or fact.parent not in after.facts or fact["inherited"]:
            return None
        return (id.kind, fact.parent.kind, fact.parent.schema, fact.parent.name)
    return (id.kind, id.schema, id.part if id.kind in ROUTINES else "")


def _likeness(kind: str, before: Snapshot, after: Snapshot) -> Likeness:
    if kind in ("table", "foreign_table"):
        return lambda old, new: _tables(old, new, before, after)
    if kind == "column":
        return lambda old, new: _columns(old, new, before, after)
    if kind == "schema":
        return lambda old, new: _schemas(old, new, before, after)
    return lambda old, new: _others(before.facts[old], after.facts[new])


def _pairs(
    gone: list[ObjectId], come: list[ObjectId], likeness: Likeness
) -> Iterator[tuple[ObjectId, ObjectId]]:
    """Those that are each other's best match, by enough."""
    scores = {(old, new): likeness(old, new) for old in gone for new in come}
    for (old, new), score in sorted(scores.items()):
        rivals = [other for (a, b), other in scores.items() if (a == old) != (b == new)]
        if score >= ENOUGH and all(score - other >= _APART for other in rivals):
            yield old, new


def _alike(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, a.lower(), b.lower()).ratio()


def _tables(old: ObjectId, new: ObjectId, before: Snapshot, after: Snapshot) -> float:
    """Mostly how many columns have the same name and type."""
    a, b = (
        {(f.id.part, f["type"]) for f in side.children.get(id, ()) if f.id.kind == "column"}
        for id, side in ((old, before), (new, after))
    )
    if not a or not b:
        return 0.0
    shared = 2 * len(a & b) / (len(a) + len(b))
    return shared * (1.0 if len(a & b) > 1 else 0.6) + 0.2 * _alike(old.name, new.name) - 0.1


def _columns(old: ObjectId, new: ObjectId, before: Snapshot, after: Snapshot) -> float:
    """The same type, and then: the same place, the same null and default, names that are alike."""
    a, b = before.facts[old], after.facts[new]
    if (
        a["type"] != b["type"]
        or bool(a["generated"]) != bool(b["generated"])
        or bool(a["identity"]) != bool(b["identity"])
    ):
        return 0.0
    defaults = [side.facts.get(id._replace(kind="default")) for side, id in ((before, old), (after, new))]
    said = [fact.attributes if fact else None for fact in defaults]
    score = 0.45 + 0.4 * _alike(old.part, new.part)
    score += 0.15 if bool(a["not_null"]) == bool(b["not_null"]) else 0.0
    one, other = _place(a, before, after), _place(b, after, before)
    score += 0.2 if one[:2] == other[:2] else 0.0
    score += 0.1 if one == other else 0.0
    return score + (0.0 if said[0] == said[1] else -0.1)


def _place(column: Fact, side: Snapshot, other: Snapshot) -> tuple[str, str, int, int]:
    """The columns before and after it that both sides have, and which of how many between those two it is."""
    placed = (
        [f for f in side.children.get(column.parent, ()) if f.id.kind == "column"] if column.parent else []
    )
    gap: list[Fact] = []
    first = ""
    for fact in placed:
        if fact.id not in other.facts:
            gap.append(fact)
        elif column in gap:
            return first, fact.id.part, gap.index(column), len(gap)
        else:
            first, gap = fact.id.part, []
    return first, "", gap.index(column), len(gap)


def _schemas(old: ObjectId, new: ObjectId, before: Snapshot, after: Snapshot) -> float:
    """How many of their objects have the same kind and name."""
    a, b = (
        {
            (id.kind, id.name)
            for id, fact in side.facts.items()
            if id.schema == it.name and fact.parent is None
        }
        for it, side in ((old, before), (new, after))
    )
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def _others(old: Fact, new: Fact) -> float:
    """Equal in everything but the name, and the owner, grants and comment that any object has."""
    words = {old.id: new.id}
    a = {key: exchanged(value, words) for key, value in old.attributes.items() if key not in w.COMMON}
    b = {key: value for key, value in new.attributes.items() if key not in w.COMMON}
    if a != b:
        return 0.0
    part = old.id.kind in PARTS
    names = _alike(old.id.part, new.id.part) if part else _alike(old.id.name, new.id.name)
    return (0.45 if old.id.kind in _PLAIN else 0.8) + 0.4 * names


def _inner(old: Fact, new: Fact) -> Iterator[tuple[ObjectId, ObjectId]]:
    """Values of an enum and attributes of a composite type: in the same place, of the same type."""
    if old.id.kind == "enum":
        kind, a, b = (
            "enum_value",
            dict.fromkeys(old["values"] or (), ""),
            dict.fromkeys(new["values"] or (), ""),
        )
    else:
        kind = "attribute"
        a, b = ({m["name"]: m["type"] for m in fact["members"] or ()} for fact in (old, new))
    ids = [{name: ObjectId(kind, old.id.schema, old.id.name, name) for name in side} for side in (a, b)]

    def likeness(one: ObjectId, other: ObjectId) -> float:
        x, y = one.part, other.part
        if a[x] != b[y]:
            return 0.0
        around = [
            [name if name in a and name in b else "" for name in (*side[:at][-1:], "|", *side[at + 1 :][:1])]
            for side, at in ((list(a), list(a).index(x)), (list(b), list(b).index(y)))
        ]
        return (0.7 if around[0] == around[1] else 0.3) + 0.5 * _alike(x, y)

    gone = [id for name, id in ids[0].items() if name not in b]
    come = [id for name, id in ids[1].items() if name not in a]
    return _pairs(gone, come, likeness)
