"""Views and materialized views, over tables and over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from grammar.code import Routine, called
from grammar.tables import RIGHTS, Table
from grammar.thing import BARE, Dress, Hand, Made, Named, Thing
from grammar.types import Type, inside
from reconciler.pg import ident


@dataclass(frozen=True)
class View(Named):
    """`names` are its columns, `text` its query, `uses` what the query needs."""

    dress: Dress = BARE
    names: tuple[str, ...] = ()
    text: str = ""
    uses: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    check: str = ""
    rank: ClassVar[int] = 17
    word: ClassVar[str] = "view"

    def needs(self) -> set[str]:
        return super().needs().union(self.uses)

    def gives(self, made: Made) -> set[str]:
        return {f"relation {self.full}", *(f"column {self.full}.{name}" for name in self.names)}

    def sql(self, made: Made) -> list[str]:
        columns = ", ".join(ident(name) for name in self.names)
        options = f" with ({', '.join(self.options)})" if self.options else ""
        return [
            f"create {self.word} {self.full} ({columns}){options} as {self.text}{self.check}",
            *(f"alter view {self.full} alter column {ident(n)} set default null" for n in self.defaults),
            *self.dress.sql(self.word, self.full, "table"),
        ]


@dataclass(frozen=True)
class MaterializedView(View):
    word: ClassVar[str] = "materialized view"
    rank: ClassVar[int] = 12

    def gives(self, made: Made) -> set[str]:
        return super().gives(made) | {f"materialized {self.full}"}


@dataclass(frozen=True)
class _Query:
    names: tuple[str, ...]
    text: str
    uses: tuple[str, ...]


def _columns(relation: Thing) -> tuple[str, ...]:
    return (
        tuple(c.name for c in relation.columns)
        if isinstance(relation, Table)
        else getattr(relation, "names", ())
    )


def _query(hand: Hand, world: Sequence[Thing], relations: list[Thing]) -> _Query:
    one = hand.one(relations)
    chosen = hand.some(_columns(one), 1, 4)
    kind = hand.number(0, 5)
    # A text that is the same whatever type the column has, so that a change of its type reaches the view.
    parts = [f"r.{ident(name)}" for name in chosen]
    names = list(chosen)
    needs = [f"relation {one.full}", *(f"column {one.full}.{name}" for name in chosen)]
    tail = ""
    if kind == 1:
        other = hand.one(relations)
        name = hand.one(_columns(other))
        tail = f" left join {other.full} as o on o.{ident(name)} is not null"
        needs += [f"relation {other.full}", f"column {other.full}.{name}"]
        if hand.chance(2) and "other" not in names:
            parts.append(f"o.{ident(name)}")
            names.append("other")
    elif kind == 2:
        call = called(
            hand, [t for t in world if type(t) is Routine], hand.one(("integer", "text", "boolean"))
        )
        if call:
            parts.append(call.text)
            names.append("called")
            needs += call.uses
    elif kind == 3:
        types = [t for t in world if isinstance(t, Type)]
        if types:
            chosen_type = hand.one(types)
            parts.append(f"null::{chosen_type.full}")
            names.append("typed")
            needs.append(f"type {chosen_type.full}")
    elif kind == 4:
        parts, names = ["count(*)", *parts[:1]], ["n", *names[:1]]
        tail = f" group by {parts[1]}"
    where = f" where r.{ident(chosen[0])} is not null" if hand.chance(3) and kind != 4 else ""
    return _Query(tuple(names), f"select {', '.join(parts)} from {one.full} as r{tail}{where}", tuple(needs))


def view(hand: Hand, world: Sequence[Thing]) -> View | None:
    relations: list[Thing] = [t for t in world if isinstance(t, Table | View)]
    if not relations:
        return None
    found = _query(hand, world, relations)
    options = hand.some(
        ("security_barrier = true", *(("security_invoker = true",) if hand.major >= 15 else ())), 0, 2
    ) if hand.chance(3) else ()  # fmt: skip
    plain = " join " not in found.text and "group by" not in found.text
    check = (
        hand.one((" with local check option", " with cascaded check option"))
        if plain and hand.chance(8)
        else ""
    )
    return View(
        inside(hand, world), hand.name(("v", "seen", "summary")), hand.dress(RIGHTS), found.names, found.text,
        found.uses, options, hand.some(found.names, 1, 1) if hand.chance(10) else (), check,
    )  # fmt: skip


def materialized_view(hand: Hand, world: Sequence[Thing]) -> MaterializedView | None:
    relations: list[Thing] = [t for t in world if isinstance(t, Table)]
    if not relations:
        return None
    found = _query(hand, world, relations)
    return MaterializedView(
        inside(hand, world), hand.name(("kept", "summary")), hand.dress(RIGHTS), found.names, found.text,
        found.uses, ("fillfactor = 80",) if hand.chance(6) else (),
    )  # fmt: skip
