"""What an argument of a function means in a world of two tenants, and what A and B would give for it.

Reads names and types: an argument is the column that it is called like, the key of the table that it is called after, or one of the keys that the
body asks a JSON document for. Promises a value of A's and one of B's that stand in their rows where there is such a column. Runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.shadow.tenants.catalogue import Catalogue, Relation
from reconciler.shadow.tenants.tokens import mentions
from reconciler.shadow.tenants.values import Side, World

Kind = Literal["tenant", "key", "user", "secret", "document", "data"]
_PREFIX = re.compile(r"^(?:p|in|arg|v|i|_)_+|^_+|_+$")
CONFIDENTIAL = re.compile(r"token|secret|passw|hash|otp|nonce|signature|api_?key", re.IGNORECASE)
PLAIN = {
    "boolean": "true", "integer": "1", "bigint": "1", "smallint": "1", "numeric": "1", "real": "1", "double precision": "1",
    "date": "2024-01-15", "timestamp with time zone": "2024-01-15", "timestamp without time zone": "2024-01-15",
    "jsonb": "{}", "json": "{}", "interval": "1 day", "text": "x", "character varying": "x",
}  # fmt: skip
TEXTS = ("text", "character varying", "citext", "character")
NUMBERS = ("integer", "bigint", "smallint", "numeric")


def bare(name: str) -> str:
    """An argument's name without what marks it as one (`p_`, `_`)."""
    return _PREFIX.sub("", name.lower())


def alike(first: str, second: str) -> bool:
    """Whether a value of the one type can be one of the other, as far as keys go."""
    a, b = first.split("(")[0], second.split("(")[0]
    return a == b or (a in TEXTS and b in TEXTS) or (a in NUMBERS and b in NUMBERS)


@dataclass(frozen=True, slots=True)
class Meaning:
    """`kind`: the tenant's key, the key of a row, a user's, a secret, a JSON document, or anything else. `values` are what each side has there, one
    for each of its rows; `column` says of which table and column."""

    kind: Kind
    values: Mapping[Side, tuple[str, ...]]
    column: str = ""

    def of(self, side: Side, number: int = 0) -> str | None:
        held = self.values.get(side, ())
        return held[min(number, len(held) - 1)] if held else None


def meaning(
    world: World, catalogue: Catalogue, body: str, keys: Sequence[str], name: str, type_: str
) -> Meaning:
    """Of one argument, of an array what each of its elements means. `body` is the function's text, `keys` the JSON keys it asks for."""
    type_ = type_.removesuffix("[]")
    if CONFIDENTIAL.search(name):
        return Meaning("secret", {})
    if type_ in ("json", "jsonb"):
        return Meaning("document", _documents(world, keys))
    for relation, column in candidates(catalogue, body, name, type_):
        values: dict[Side, tuple[str, ...]] = {
            side: tuple(v for row in world.rows[side].get(relation.id, ()) if (v := row.values.get(column)))
            for side in ("A", "B")
        }
        if values["A"] and values["B"]:
            return Meaning(_kind(world, relation, column, values), values, f"{relation.id}.{column}")
    plain = PLAIN.get(type_.split("(")[0])
    return Meaning("data", {"A": (plain,), "B": (plain,)} if plain else {})


def _kind(world: World, relation: Relation, column: str, values: Mapping[Side, tuple[str, ...]]) -> Kind:
    if values["A"][0] == world.keys["A"]:
        return "tenant"
    if values["A"][0] in world.users["A"]:
        return "user"
    # What both tenants may call the same is no key: only with the tenant's it means one row.
    keyed = {name for key in relation.keys for name in key.columns} | set(relation.primary)
    found = relation.column(column)
    keyed |= {column} if found is not None and found.type == "uuid" else set()
    return "key" if column in keyed and values["A"][0] != values["B"][0] else "data"


def candidates(catalogue: Catalogue, body: str, called: str, type_: str) -> Iterator[tuple[Relation, str]]:
    """The columns that an argument which is `called` so may mean, those of tables that the body names first: called alike or compared with it in the
    body (a name of a letter or two says nothing by itself), then the keys of tables that are called alike."""
    tables = tables_of(catalogue, body)
    compared, name = compared_with(body, called), bare(called)
    alone = {name, name.removesuffix("s")}
    named = alone | {f"{one}_id" for one in alone}
    for names in (compared if len(name) < 3 else named, compared | named):
        for relation in tables:
            for column in relation.columns:
                called_so = column.name.lower()
                # a text that the body casts before it compares it may be a key of any type
                fits = alike(column.type, type_) or (type_ in TEXTS and called_so in compared)
                if called_so in names and fits:
                    yield relation, column.name
    stem = re.sub(r"_?(?:id|uuid|key)s?$", "", name)
    for relation in tables:
        if not stem or not any(one == stem or one.endswith(f"_{stem}") for one in _singular(relation.name)):
            continue
        for key in reversed(relation.primary):
            found = relation.column(key)
            if found is not None and alike(found.type, type_):
                yield relation, key
                break


def tables_of(catalogue: Catalogue, body: str) -> list[Relation]:
    """The tables, those that a function's text names first; partitions by the table above them."""
    tables = [r for r in catalogue.relations.values() if r.kind in ("r", "p") and not r.partition]
    return sorted(tables, key=lambda r: not named_in(body, r))


def named_in(body: str, relation: Relation) -> bool:
    return mentions(body, relation.name)


def _singular(name: str) -> set[str]:
    return {name, name.removesuffix("s"), name.removesuffix("es"), re.sub(r"ies$", "y", name)}


def compared_with(body: str, argument: str) -> frozenset[str]:
    """The columns with which the body compares the argument."""
    if not argument:
        return frozenset()
    name, cast = rf"(?:\w+\.)?{re.escape(argument)}\b", r"(?:\s*::\s*\w+)?"
    found = re.findall(rf"(?<!:)\b(\w+){cast}\s*=\s*(?:any\s*\(\s*)?{name}", body, re.IGNORECASE)
    found += re.findall(rf"(?<![\w.]){name}{cast}\s*=\s*(?:\w+\.)?(\w+)", body, re.IGNORECASE)
    asked = rf"\(*\s*\w+\s*->>?\s*'{re.escape(argument)}'"
    found += re.findall(rf"\b(\w+)\s*=\s*{asked}", body, re.IGNORECASE)
    return frozenset(one.lower() for one in found)


def _documents(world: World, keys: Sequence[str]) -> Mapping[Side, tuple[str, ...]]:
    """An object with every key that the body asks for, from the columns that are called so."""
    found: dict[Side, tuple[str, ...]] = {}
    for side in ("A", "B"):
        held: dict[str, str] = {}
        for rows in world.rows[side].values():
            for row in rows[:1]:
                for column, value in row.values.items():
                    if column in keys and value is not None:
                        held.setdefault(column, value)
        found[side] = (json.dumps(held),)
    return found
