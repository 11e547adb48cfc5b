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
    """Of one argument. `body` is the function's text, `keys` the JSON keys it asks for."""
    name = bare(name)
    if CONFIDENTIAL.search(name):
        return Meaning("secret", {})
    if type_ in ("json", "jsonb"):
        return Meaning("document", _documents(world, keys))
    for relation, column in _columns(catalogue, body, name, type_):
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


def _columns(catalogue: Catalogue, body: str, name: str, type_: str) -> Iterator[tuple[Relation, str]]:
    """The columns that an argument of this name may mean, those of tables that the body names first."""
    tables = [r for r in catalogue.relations.values() if r.kind in ("r", "p") and not r.partition]
    tables.sort(key=lambda r: not re.search(rf"\b{re.escape(r.name)}\b", body))
    for relation in tables:
        for column in relation.columns:
            if column.name.lower() in (name, f"{name}_id") and alike(column.type, type_):
                yield relation, column.name
    stem = re.sub(r"_?(?:id|uuid|key)$", "", name)
    for relation in tables:
        called = {
            relation.name,
            relation.name.removesuffix("s"),
            relation.name.removesuffix("es"),
            re.sub(r"ies$", "y", relation.name),
        }
        if stem not in called and not any(one.endswith(f"_{stem}") for one in called if stem):
            continue
        for key in reversed(relation.primary):
            column_ = relation.column(key)
            if column_ is not None and alike(column_.type, type_):
                yield relation, key
                break


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
