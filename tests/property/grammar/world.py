"""Worlds: a drawn database as a list of things, a second one made of it by random edits, and both as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from hypothesis import strategies as st

from grammar import attached, code, tables, types, views, wide
from grammar.thing import Hand, Thing

Drawing = Callable[[Hand, Sequence[Thing]], Thing | None]

KINDS: tuple[tuple[Drawing, int], ...] = (
    (types.schema, 2), (types.collation, 1), (types.enum, 2), (types.domain, 2), (types.composite, 2),
    (types.range_type, 1), (tables.sequence, 2), (code.routine, 4), (code.aggregate, 1), (wide.cast, 1),
    (wide.operator, 1), (wide.text_search, 1), (wide.foreign, 1), (tables.table, 6), (attached.constraint, 5),
    (wide.foreign_table, 1), (attached.foreign_key, 3), (views.materialized_view, 2), (attached.index, 4),
    (attached.late, 1), (attached.statistics, 1), (attached.owned, 1), (views.view, 4), (code.late_routine, 3),
    (attached.rule, 1), (attached.trigger, 3), (attached.policy, 3), (wide.publication, 1),
    (wide.event_trigger, 1), (wide.default_privileges, 2),
)  # fmt: skip
"""Each kind with the largest number of its objects in a world."""
WEIGHTED = tuple(drawing for drawing, most in KINDS for _ in range(most))
WIDE = (
    wide.cast, wide.operator, wide.text_search, wide.foreign, types.range_type, types.collation,
    wide.publication, wide.event_trigger, code.aggregate,
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two databases as lists of SQL statements."""

    old: tuple[str, ...]
    new: tuple[str, ...]


def drawn(hand: Hand) -> list[Thing]:
    """A world: every kind has its turn; each is drawn in sight of what was drawn before."""
    world: list[Thing] = []
    for drawing, most in KINDS:
        if drawing in WIDE and not hand.chance(3):
            continue
        for _ in range(hand.number(0, most)):
            _add(world, drawing(hand, world))
    return world


def _add(world: list[Thing], thing: Thing | None) -> None:
    if thing is not None and thing.key not in {other.key for other in world}:
        world.append(thing)


def mutated(hand: Hand, world: Sequence[Thing]) -> list[Thing]:
    """The world after some edits: things added, dropped, and altered in one or two of their fields."""
    found = list(world)
    for _ in range(hand.number(1, 10)):
        edit = hand.number(0, 4)
        if edit == 0 or not found:
            _add(found, hand.one(WEIGHTED)(hand, found))
        elif edit == 1:
            del found[hand.number(0, len(found) - 1)]
        else:
            place = hand.number(0, len(found) - 1)
            found[place] = _altered(hand, found, found[place])
    return found


def _altered(hand: Hand, world: Sequence[Thing], thing: Thing) -> Thing:
    """The thing with some fields of another drawing of its kind."""
    if isinstance(thing, tables.Table) and not thing.partition and hand.chance(2) is False:
        return replace(thing, columns=_columns(hand, world, thing.columns))
    others = [other for other in world if other.rank < thing.rank]
    for drawing, _ in KINDS:
        for _ in range(2):
            other = drawing(hand, others) if _draws(drawing, thing) else None
            if other is not None and type(other) is type(thing):
                return _mixed(hand, thing, other)
    return thing


def _draws(drawing: Drawing, thing: Thing) -> bool:
    return DRAWERS[type(thing).__name__] is drawing


def _mixed(hand: Hand, thing: Thing, other: Thing) -> Thing:
    assert is_dataclass(thing)
    names = [f.name for f in fields(thing) if getattr(thing, f.name) != getattr(other, f.name)]
    whole = isinstance(thing, attached.OnTable | wide.Written | views.View | code.Routine)
    if whole:
        # Its text says all: it keeps its name and place, or only its dress changes.
        changes: dict[str, Any] = (
            {"dress": other.dress} if hasattr(other, "dress") else {"comment": other.comment}
        )  # type: ignore[attr-defined]
        if hand.chance(3):
            return replace(thing, **changes)
        if isinstance(thing, attached.OnTable | wide.Written):
            return other
        return replace(other, schema=thing.schema, name=thing.name)
    chosen = hand.some(names, 1, 2)
    return replace(thing, **{name: getattr(other, name) for name in chosen})


def _columns(
    hand: Hand, world: Sequence[Thing], columns: tuple[tables.Column, ...]
) -> tuple[tables.Column, ...]:
    found = list(columns)
    for _ in range(hand.number(1, 2)):
        edit = hand.number(0, 4)
        place = hand.number(0, len(found) - 1)
        if edit == 0:
            name = hand.one(tables.COLUMNS)
            if name not in {c.name for c in found}:
                found.insert(place + 1, tables.column(hand, world, name, found[: place + 1]))
        elif edit == 1 and len(found) > 1:
            del found[place]
        else:
            other = tables.column(hand, world, found[place].name, found[:place])
            names = [f.name for f in fields(other) if getattr(other, f.name) != getattr(found[place], f.name)]
            # A value goes with its type.
            chosen = {*hand.some(names, 1, 2)}
            if chosen & {"type", "how", "value"}:
                chosen |= {"type", "how", "value"} if hand.chance(2) else set()
            found[place] = replace(found[place], **{name: getattr(other, name) for name in chosen})
    return tuple(found)


DRAWERS: dict[str, Drawing] = {
    "Schema": types.schema, "Collation": types.collation, "Enum": types.enum, "Domain": types.domain,
    "Composite": types.composite, "Range": types.range_type, "SequenceOf": tables.sequence,
    "Routine": code.routine, "LateRoutine": code.late_routine, "Aggregate": code.aggregate,
    "Table": tables.table, "Constraint": attached.constraint, "ForeignKey": attached.foreign_key,
    "Index": attached.index, "Late": attached.late, "Statistics": attached.statistics, "Owned": attached.owned,
    "View": views.view, "MaterializedView": views.materialized_view, "Rule": attached.rule,
    "Trigger": attached.trigger, "Policy": attached.policy, "Publication": wide.publication,
    "EventTrigger": wide.event_trigger, "DefaultPrivileges": wide.default_privileges, "Cast": wide.cast,
    "Operator": wide.operator, "TextSearch": wide.text_search, "Foreign": wide.foreign,
    "ForeignTable": wide.foreign_table,
}  # fmt: skip


def sql(world: Sequence[Thing]) -> tuple[str, ...]:
    """The statements, in an order in which each finds what it needs; what needs something missing is left out."""
    made: set[str] = {"schema public"}
    parents = {t.inherits or (t.partition or ("",))[0] for t in world if isinstance(t, tables.Table)}
    found: list[str] = []
    for thing in sorted(world, key=lambda t: t.rank):
        if thing.needs() <= made:
            statements = thing.sql(made)
            if isinstance(thing, attached.Constraint) and thing.table in parents:
                # A child made later has a valid copy, whatever the parent's is: nothing can make it one that is not.
                statements = [statement.removesuffix(" not valid") for statement in statements]
            found += statements
            made |= thing.gives(made)
    return tuple(found)


@st.composite
def pairs(draw: Any, major: int) -> Pair:
    """Two worlds: the second mostly an edited first, now and then one of its own."""
    hand = Hand(draw, major)
    first = drawn(hand)
    second = drawn(hand) if hand.chance(10) else mutated(hand, first)
    return Pair(sql(first), sql(second))
