"""Schemas and types: enums, composites, domains, ranges, collations; and what the built-in types are good for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from grammar.thing import BARE, Dress, Expr, Hand, Made, Named, Thing
from reconciler.pg import ident, literal

SCHEMAS = ("app", "App Two", "third")
BUILT_IN: dict[str, tuple[str, ...]] = {
    "integer": ("1", "7", "(1 + 2)"),
    "text": ("'x'", "'it''s'", "lower('Y')"),
    "bigint": ("1", "'9'::bigint"),
    "smallint": ("1",),
    "varchar(20)": ("'v'",),
    "varchar(5)": ("'w'",),
    "numeric(10,2)": ("1.5", "0"),
    "numeric": ("2",),
    "boolean": ("true", "false"),
    "date": ("current_date", "'2020-01-01'"),
    "timestamp": ("'2020-01-01 10:00'",),
    "timestamptz": ("now()", "clock_timestamp()"),
    "uuid": ("gen_random_uuid()",),
    "jsonb": ("'{}'", "jsonb_build_object('a', 1)"),
    "integer[]": ("'{}'", "array[1, 2]"),
    "text[]": ("'{}'::text[]",),
    "double precision": ("1.25",),
    "bytea": ("'\\x00'",),
    "interval": ("'1 day'",),
    "inet": ("'127.0.0.1'",),
    "int4range": ("'[1,2)'",),
    "char(3)": ("'abc'",),
    "bit(4)": ("b'1010'",),
    "tsvector": ("''",),
}
"""Types and defaults for them; the frequent ones first."""
PLAIN = ("integer", "text", "bigint", "varchar(20)", "numeric(10,2)", "boolean", "date", "timestamptz")
COLLATIONS = ("C", "POSIX")
TEXTUAL = ("text", "varchar(20)", "varchar(5)", "char(3)")


@dataclass(frozen=True)
class Schema(Thing):
    dress: Dress = BARE
    rank: ClassVar[int] = 0

    def gives(self, made: Made) -> set[str]:
        return {f"schema {self.name}"}

    def sql(self, made: Made) -> list[str]:
        return [f"create schema {ident(self.name)}", *self.dress.sql("schema", ident(self.name))]


@dataclass(frozen=True)
class Type(Named):
    dress: Dress = BARE

    def gives(self, made: Made) -> set[str]:
        return {f"type {self.full}"}


@dataclass(frozen=True)
class Enum(Type):
    labels: tuple[str, ...] = ()
    rank: ClassVar[int] = 1

    def sql(self, made: Made) -> list[str]:
        labels = ", ".join(literal(label) for label in self.labels)
        return [f"create type {self.full} as enum ({labels})", *self.dress.sql("type", self.full)]


@dataclass(frozen=True)
class Domain(Type):
    base: str = "text"
    not_null: bool = False
    default: str = ""
    checks: tuple[tuple[str, str], ...] = ()
    rank: ClassVar[int] = 2

    def needs(self) -> set[str]:
        return super().needs() | needed(self.base)

    def sql(self, made: Made) -> list[str]:
        parts = [f"create domain {self.full} as {self.base}"]
        if self.default:
            parts.append(f"default {self.default}")
        if self.not_null:
            parts.append("not null")
        parts += [f"constraint {ident(name)} check ({check})" for name, check in self.checks]
        return [" ".join(parts), *self.dress.sql("domain", self.full)]


@dataclass(frozen=True)
class Composite(Type):
    members: tuple[tuple[str, str], ...] = ()
    rank: ClassVar[int] = 3

    def needs(self) -> set[str]:
        return super().needs().union(*(needed(type) for _, type in self.members))

    def sql(self, made: Made) -> list[str]:
        members = ", ".join(f"{ident(name)} {type}" for name, type in self.members)
        return [f"create type {self.full} as ({members})", *self.dress.sql("type", self.full)]


@dataclass(frozen=True)
class Range(Type):
    subtype: str = "double precision"
    diff: bool = False
    rank: ClassVar[int] = 4

    def sql(self, made: Made) -> list[str]:
        diff = ", subtype_diff = float8mi" if self.diff and self.subtype == "double precision" else ""
        return [
            f"create type {self.full} as range (subtype = {self.subtype}{diff})",
            *self.dress.sql("type", self.full),
        ]


@dataclass(frozen=True)
class Collation(Thing):
    locale: str = "C"
    comment: str = ""
    rank: ClassVar[int] = 1

    def gives(self, made: Made) -> set[str]:
        return {f"collation {self.full}"}

    def sql(self, made: Made) -> list[str]:
        made_so = f"create collation {self.full} (provider = libc, locale = '{self.locale}')"
        return [made_so, *Dress(self.comment).sql("collation", self.full)]


def needed(type: str) -> set[str]:
    """The names a type's text needs: none for a built-in one."""
    base = type.removesuffix("[]")
    return set() if type in BUILT_IN or base in BUILT_IN else {f"type {base}"}


def drawn_type(hand: Hand, world: Sequence[Thing], *, own: int = 4, arrays: bool = True) -> str:
    """A built-in type, or once in `own` times one of the world's."""
    mine = [thing.full for thing in world if isinstance(thing, Type)]
    if mine and hand.chance(own):
        return hand.one(mine) + ("[]" if arrays and hand.chance(6) else "")
    return hand.one(tuple(BUILT_IN)) if hand.chance(3) else hand.one(PLAIN)


def drawn_default(hand: Hand, world: Sequence[Thing], type: str) -> Expr | None:
    """An expression that makes a value of the type."""
    if type in BUILT_IN:
        return Expr(hand.one(BUILT_IN[type]))
    for thing in world:
        if isinstance(thing, Enum) and thing.full == type:
            return Expr(f"{literal(thing.labels[0])}::{type}", (f"type {type}",))
        if isinstance(thing, Domain) and thing.full == type and thing.base in BUILT_IN:
            return Expr(f"{BUILT_IN[thing.base][0]}::{type}", (f"type {type}",))
    return Expr(f"null::{type}", tuple(needed(type)))


def schema(hand: Hand, world: Sequence[Thing]) -> Schema:
    return Schema("", hand.one(SCHEMAS), hand.dress(("usage", "create")))


def inside(hand: Hand, world: Sequence[Thing]) -> str:
    """A schema for a new object."""
    return hand.one(("public", *(thing.name for thing in world if isinstance(thing, Schema))))


def enum(hand: Hand, world: Sequence[Thing]) -> Enum:
    labels = hand.some(("low", "mid", "high", "it's", "Mixed", "ü"), 1, 5)
    return Enum(inside(hand, world), hand.name(("mood", "state", "level")), hand.dress(("usage",)), labels)


def domain(hand: Hand, world: Sequence[Thing]) -> Domain:
    base = hand.one(PLAIN) if hand.chance(2) else drawn_type(hand, world)
    checks = {
        hand.name(("d_check", "d_other")): hand.one(
            ("value is distinct from null or true", "value::text <> 'zz'")
        )
        for _ in range(hand.number(0, 2))
    }
    default = drawn_default(hand, world, base) if hand.chance(4) else None
    return Domain(
        inside(hand, world), hand.name(("positive", "email", "code")), hand.dress(("usage",)), base,
        hand.chance(8), default.text if default else "", tuple(checks.items()),
    )  # fmt: skip


def composite(hand: Hand, world: Sequence[Thing]) -> Composite:
    names = hand.some(("x", "y", "z", "Mixed Case"), 1, 4)
    members = tuple((name, drawn_type(hand, world, own=5)) for name in names)
    return Composite(inside(hand, world), hand.name(("pair", "point3")), hand.dress(("usage",)), members)


def range_type(hand: Hand, world: Sequence[Thing]) -> Range:
    subtype = hand.one(("double precision", "text", "numeric"))
    return Range(inside(hand, world), hand.name(("span",)), hand.dress(("usage",)), subtype, hand.chance(2))


def collation(hand: Hand, world: Sequence[Thing]) -> Collation:
    return Collation(
        inside(hand, world), hand.name(("bytes",)), hand.one(COLLATIONS), hand.maybe(3, "sorts", "")
    )
