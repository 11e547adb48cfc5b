"""Values for the columns that a trigger looks at: those that take another branch of it, and those that name the other tenant.

Knows the rows of the world and what the texts of the functions speak of. Promises values that fit the type of the column; whether the table
accepts them shows when they are sent. Runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from reconciler.audit.triggers.located import where
from reconciler.audit.triggers.stage import Place, Stage, places
from reconciler.audit.triggers.wiring import Trigger
from reconciler.model import ObjectId
from reconciler.pg import ident, literal
from reconciler.shadow.bodies.body import constant
from reconciler.shadow.tenants.catalogue import Key
from reconciler.shadow.tenants.values import Row

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_LARGE = "999999"
_TEXTS = ("text", "character varying", "character", "citext", "name")


class Payload(NamedTuple):
    """Values that name B, for some columns. `tenant`: it is B's own key. `setup` gives A a row to point to that is called as B's is."""

    columns: tuple[str, ...]
    values: tuple[str, ...]
    tenant: bool
    setup: tuple[str, ...] = ()


def payloads(
    stage: Stage, role: str, table: ObjectId, row: Row, triggers: Sequence[Trigger]
) -> Iterator[Payload]:
    """What a client with this role might put into the columns that the triggers look at and that do not say whose the row is."""
    known = places(stage, role, table)
    owners = set(owners_of(stage, table))
    looked = {place.name for place in looked_at(known, triggers)}
    keyed = {name for key in stage.relation(table).keys for name in key.columns} | set(
        stage.relation(table).primary
    )
    numbers = [
        p.name for p in known if p.name in looked - keyed and not p.generated and p.type.startswith(_NUMBERS)
    ]
    pointing = set()
    for key in stage.relation(table).keys:
        pairs = [pair for pair in zip(key.columns, key.theirs, strict=True) if pair[0] not in owners]
        pointing |= {own for own, _ in pairs}
        if looked & {own for own, _ in pairs}:
            for one in _pointing(stage, role, row, key, pairs):
                yield one
                # The rest as it stands in a row of B's that the trigger looks for: a key alone may find nothing.
                free = {
                    p.name for p in known if p.name in looked - owners - set(one.columns) and not p.generated
                }
                for rest in _beside(stage, triggers, free - pointing):
                    yield one._replace(columns=(*one.columns, *rest), values=(*one.values, *rest.values()))
                # A branch may wait until a number is as large as one of B's.
                large = [n for n in numbers if n not in one.columns and n not in owners]
                if large:
                    yield one._replace(
                        columns=(*one.columns, *large), values=(*one.values, *[_LARGE] * len(large))
                    )
    strange = list(_strangers(stage, triggers))
    for place in known:
        if place.name not in looked or place.name in owners or place.generated or place.name in pointing:
            continue
        if place.type in ("json", "jsonb"):
            for value in _documents(stage, triggers, row.values.get(place.name)):
                yield Payload((place.name,), (value,), True)
        elif place.type == "uuid" or place.type.startswith((*_TEXTS, *_NUMBERS)):
            for value, tenant in strange:
                if _fits(value, place.type):
                    yield Payload((place.name,), (value,), tenant)


def _pointing(
    stage: Stage, role: str, row: Row, key: Key, pairs: Sequence[tuple[str, str]]
) -> Iterator[Payload]:
    """B's rows that a foreign key could point to. Where the key includes the tenant, a row of A's that is called the same: nothing keeps A
    from making one."""
    target = stage.catalogue.relations[key.target]
    world = stage.world
    own = [one for one in world.rows["A"].get(target.id, ()) if _points(row, one, key)]
    mine = (own or list(world.rows["A"].get(target.id, ())))[:1]
    may = {place.name for place in places(stage, role, target.id) if place.insert or place.update}
    for other in world.rows["B"].get(target.id, ()):
        values = tuple(str(value) for _, theirs in pairs if (value := other.values.get(theirs)) is not None)
        if len(values) != len(pairs):
            continue
        columns = tuple(own for own, _ in pairs)
        yield Payload(columns, values, target.id == world.tenancy.root)
        if len(pairs) < len(key.columns) and mine and may >= {theirs for _, theirs in pairs}:
            sets = ", ".join(
                f"{ident(theirs)} = {literal(value)}"
                for (_, theirs), value in zip(pairs, values, strict=True)
            )
            renamed = f"update {target.sql} set {sets} where {where(stage, target.id, mine[0])}"
            yield Payload(columns, values, False, (renamed,))


def _points(row: Row, other: Row, key: Key) -> bool:
    return all(
        row.values.get(own) is not None and row.values.get(own) == other.values.get(theirs)
        for own, theirs in zip(key.columns, key.theirs, strict=True)
    )


def _strangers(stage: Stage, triggers: Sequence[Trigger]) -> Iterator[tuple[str, bool]]:
    """B's key, a user of B, and of B's rows in the tables that the triggers touch what their statements name: what a client might send."""
    world = stage.world
    yield world.keys["B"], True
    yield from ((user, False) for user in world.users["B"][:1])
    seen = {world.keys["B"], *world.users["B"]}
    for trigger in triggers:
        for effect in stage.wiring.effects(trigger.function):
            named = {token.identifier for token in effect.use.step.tokens}
            for row in world.rows["B"].get(effect.table, ())[:1]:
                for column in sorted(named & set(row.values)):
                    value = row.values.get(column)
                    if value and value not in seen:
                        seen.add(value)
                        yield value, False


def _beside(stage: Stage, triggers: Sequence[Trigger], names: Collection[str]) -> Iterator[dict[str, str]]:
    """What B's rows in the tables that the triggers touch hold in columns that are called so."""
    seen: list[dict[str, str]] = []
    for trigger in triggers:
        for effect in stage.wiring.effects(trigger.function):
            for row in stage.world.rows["B"].get(effect.table, ())[:1]:
                found = {name: value for name in sorted(names) if (value := row.values.get(name)) is not None}
                if found and found not in seen:
                    seen.append(found)
                    yield found


def _documents(stage: Stage, triggers: Sequence[Trigger], value: str | None) -> Iterator[str]:
    """JSON with B's key under every name that the texts ask for, and with B's keys for A's in what stands there."""
    world = stage.world
    keys = dict.fromkeys(
        key
        for trigger in triggers
        for routine in stage.wiring.bodies(trigger.function)
        for key in routine.text.keys
    )
    held: object = None
    try:
        held = json.loads(value) if value else None
    except ValueError:
        held = None
    base = held if isinstance(held, dict) else {}
    if keys:
        yield json.dumps({**base, **dict.fromkeys(keys, world.keys["B"])})
        of_b = {
            name: text
            for rows in world.rows["B"].values()
            for one in rows
            for name, text in one.values.items()
        }
        named = {key: of_b[key] for key in keys if of_b.get(key)}
        if named:
            yield json.dumps({**base, **named})
    if value and world.keys["A"] in value:
        yield value.replace(world.keys["A"], world.keys["B"])


def values_for(
    place: Place, row: Row, others: Sequence[Row], triggers: Sequence[Trigger]
) -> Iterator[str | None]:
    now = row.values[place.name]
    if place.type.startswith(_TEXTS) or place.labels:
        words = _spoken(triggers)
        yield from (word for word in words if not place.labels or word in place.labels)
    yield from islice((other.values.get(place.name) for other in others if other.values.get(place.name)), 1)
    if place.labels:
        yield from place.labels[:4]
    elif place.type == "boolean":
        yield "f" if now in ("t", "true") else "t"
    elif place.type in _NUMBERS or place.type.startswith("numeric"):
        try:
            yield str(int(float(now or 0)) + 1)
        except ValueError:
            yield "1"
    elif place.type.startswith(_TEXTS):
        yield (now or "") + "x"
    elif place.type.startswith("timestamp") or place.type == "date":
        yield "2031-05-06"
    elif place.type in ("json", "jsonb"):
        yield '{"reconciler": 1}'
    elif place.type == "uuid":
        yield None


def _spoken(triggers: Sequence[Trigger]) -> tuple[str, ...]:
    """The constants in conditions: what a branch waits for."""
    found: dict[str, None] = {}
    for trigger in triggers:
        for step in trigger.function.text.steps:
            if step.kind in ("if", "case"):
                for token in step.tokens:
                    text = constant(token)
                    if text and len(text) < 40:
                        found[text] = None
    return tuple(found)[:6]


def looked_at(known: Sequence[Place], triggers: Sequence[Trigger]) -> list[Place]:
    """The columns that matter to a trigger: those its text or condition names, all of them where it sees the whole row."""
    names: set[str] = set()
    everything = False
    for trigger in triggers:
        names |= set(trigger.columns)
        text = trigger.function.text
        everything = (
            everything or "*" in text.mentioned or bool(text.unreadable or text.dynamic or trigger.transition)
        )
        names |= text.mentioned
        names |= {place.name for place in known if place.name in trigger.when}
    return [place for place in known if everything or place.name in names]


def owners_of(stage: Stage, table: ObjectId) -> Collection[str]:
    owned = stage.world.tenancy.tables.get(table)
    return owned.columns if owned else ()


def _fits(value: str, type_: str) -> bool:
    if type_.startswith(_NUMBERS):
        return value.lstrip("-").isdecimal()
    return type_ != "uuid" or (len(value) == 36 and value.count("-") == 4)
