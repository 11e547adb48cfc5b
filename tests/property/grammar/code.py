"""Routines: functions, procedures, aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from grammar.thing import BARE, Dress, Expr, Hand, Made, Thing
from grammar.types import BUILT_IN, Type, drawn_default, drawn_type, inside, needed
from reconciler.pg import ident

ONE = Expr("'select 1'")
FUNCTIONS = ("f", "g", "compute", "t")


@dataclass(frozen=True)
class Routine(Thing):
    """`arguments` are (name, type, default or ""). `body` is everything after AS, or the whole tail of an SQL body."""

    dress: Dress = BARE
    word: str = "function"
    arguments: tuple[tuple[str, str, str], ...] = ()
    returns: str = "integer"
    language: str = "sql"
    options: tuple[str, ...] = ()
    body: Expr = ONE
    types: tuple[str, ...] = ()
    rank: ClassVar[int] = 7

    @property
    def signature(self) -> str:
        return f"{self.full}({', '.join(type for _, type, _ in self.arguments)})"

    @property
    def key(self) -> tuple[str, str, str]:
        return ("Routine", self.schema, self.signature)

    def needs(self) -> set[str]:
        types = (*self.types, *(type for _, type, _ in self.arguments))
        return super().needs().union(self.body.uses, *(needed(type) for type in types))

    def gives(self, made: Made) -> set[str]:
        return {f"routine {self.signature}"}

    def sql(self, made: Made) -> list[str]:
        arguments = ", ".join(
            f"{ident(name)} {type}{f' default {default}' if default else ''}"
            for name, type, default in self.arguments
        )
        returns = f" returns {self.returns}" if self.returns else ""
        options = " ".join(self.options)
        body = self.body.text if self.body.text.startswith("begin atomic") else f"as {self.body.text}"
        return [
            f"create {self.word} {self.full}({arguments}){returns} language {self.language} {options} {body}",
            *self.dress.sql(self.word, self.signature),
        ]


@dataclass(frozen=True)
class LateRoutine(Routine):
    """A routine that reads tables, or is made of their row types: written after them."""

    rank: ClassVar[int] = 14


@dataclass(frozen=True)
class Aggregate(Thing):
    dress: Dress = BARE
    argument: str = "integer"
    start: str = ""
    parallel: str = ""
    rank: ClassVar[int] = 8

    def gives(self, made: Made) -> set[str]:
        return {f"aggregate {self.full}"}

    def sql(self, made: Made) -> list[str]:
        transition = "int4pl" if self.argument == "integer" else "textcat"
        start = f", initcond = '{self.start}'" if self.start else ""
        parallel = f", parallel = {self.parallel}" if self.parallel else ""
        return [
            f"create aggregate {self.full}({self.argument}) (sfunc = {transition}, stype = {self.argument}{start}{parallel})",
            *self.dress.sql("aggregate", f"{self.full}({self.argument})", "function"),
        ]


def called(hand: Hand, routines: Sequence[Routine], type: str) -> Expr | None:
    """A call of a routine that returns this type, if there is one that can be called without tables."""
    found = [r for r in routines if r.returns == type and r.word == "function"]
    if not found:
        return None
    chosen = hand.one(found)
    arguments = ", ".join(f"null::{type}" for _, type, _ in chosen.arguments)
    return Expr(f"{chosen.full}({arguments})", (f"routine {chosen.signature}",))


def _arguments(hand: Hand, world: Sequence[Thing]) -> tuple[tuple[str, str, str], ...]:
    found = []
    names = hand.some(("x", "y", "Mixed Case"), 0, 2)
    defaulted = hand.chance(5)
    for name in names:
        type = drawn_type(hand, world, own=3)
        default = drawn_default(hand, world, type) if defaulted and type in BUILT_IN else None
        found.append((name, type, default.text if default else ""))
    return tuple(found)


def _options(hand: Hand) -> tuple[str, ...]:
    return hand.some(
        (
            "security definer", "strict", "parallel safe", "cost 7", "set search_path to ''", "leakproof",
            "set work_mem to '1MB'",
        ), 0, 2,
    ) if hand.chance(2) else ()  # fmt: skip


def routine(hand: Hand, world: Sequence[Thing]) -> Routine:
    schema, name = inside(hand, world), hand.name(FUNCTIONS)
    dress = hand.dress(("execute", "-execute"))
    if hand.chance(4):
        return Routine(
            schema, hand.name(("stamp", "guard")), dress, "function", (), "trigger", "plpgsql",
            hand.some(("security definer", "set search_path to ''"), 0, 1),
            Expr(hand.one(("$$begin return new; end$$", "$$begin return null; end$$", "$$begin /* other */ return new; end$$"))),
        )  # fmt: skip
    arguments = _arguments(hand, world)
    if hand.chance(6):
        body = hand.one(("'select 1'", "'select 2'"))
        return Routine(schema, name, dress, "procedure", arguments, "", "sql", (), Expr(body))
    volatility = (hand.one(("immutable", "stable", "volatile")),)
    options = (*volatility, *_options(hand))
    kind = hand.number(0, 3)
    if kind == 0:
        returns = hand.one(("integer", "text", "boolean"))
        value = {"integer": "1", "text": "'x'::text as answer", "boolean": "true"}[returns]
        body = Expr(
            hand.one(
                (f"$$select {value}$$", f"$$select {value} -- again$$", f"begin atomic; select {value}; end")
            )
        )
        return Routine(schema, name, dress, "function", arguments, returns, "sql", options, body)
    if kind == 1:
        type = drawn_type(hand, world, own=2)
        body = Expr(hand.one(("$$begin return null; end$$", "$$ begin\n  return null;\nend $$")))
        return Routine(schema, name, dress, "function", arguments, type, "plpgsql", options, body, (type,))
    if kind == 2:
        one, two = drawn_type(hand, world, own=2), drawn_type(hand, world, own=3)
        body = Expr("$$begin end$$")
        return Routine(
            schema, name, dress, "function", arguments, f"table (r1 {one}, r2 {two})", "plpgsql", options, body,
            (one, two),
        )  # fmt: skip
    type = drawn_type(hand, world, own=2)
    return Routine(
        schema, name, dress, "function", arguments, f"setof {type}", "sql", options,
        Expr(f"$$select null::{type}$$"), (type,),
    )  # fmt: skip


def late_routine(hand: Hand, world: Sequence[Thing]) -> LateRoutine | None:
    """A routine over a table: of its row type, or with a body PostgreSQL keeps as a parse tree."""
    tables = [t for t in world if type(t).__name__ in ("Table", "View")]
    if not tables:
        return None
    table = hand.one(tables)
    schema, name = inside(hand, world), hand.name(("rows_of", "one_of", "f"))
    dress = hand.dress(("execute", "-execute"))
    uses = (f"relation {table.full}",)
    kind = hand.number(0, 4)
    if kind == 0:
        return LateRoutine(
            schema, name, dress, "function", (), f"setof {table.full}", "sql", ("stable",),
            Expr(f"$$select * from {table.full}$$", uses),
        )  # fmt: skip
    if kind == 1:
        return LateRoutine(
            schema, name, dress, "function", (), "bigint", "sql", ("stable", *_options(hand)),
            Expr(f"begin atomic; select count(*) as n from {table.full}; end", uses),
        )  # fmt: skip
    if kind == 2:
        return LateRoutine(
            schema, name, dress, "function", (), f"{table.full}", "plpgsql", (), Expr("$$begin return null; end$$", uses)
        )  # fmt: skip
    if kind == 3:
        return LateRoutine(
            schema, name, dress, "procedure", (), "", "sql", (), Expr(f"begin atomic; delete from {table.full}; end", uses)
        )  # fmt: skip
    columns = getattr(table, "columns", ())
    chosen = hand.one(columns).name if columns and type(table).__name__ == "Table" else ""
    if not chosen:
        return None
    body = f"begin atomic; select {ident(chosen)}::text as answer from {table.full} limit 1; end"
    return LateRoutine(
        schema, name, dress, "function", (), "text", "sql", (),
        Expr(body, (*uses, f"column {table.full}.{chosen}")),
    )  # fmt: skip


def aggregate(hand: Hand, world: Sequence[Thing]) -> Aggregate:
    argument = hand.one(("integer", "text"))
    return Aggregate(
        inside(hand, world), hand.name(("total", "joined")), hand.dress(("execute", "-execute")), argument,
        hand.maybe(3, "0", ""), hand.maybe(3, "safe", ""),
    )  # fmt: skip


__all__ = ["Aggregate", "LateRoutine", "Routine", "Type", "aggregate", "called", "late_routine", "routine"]
