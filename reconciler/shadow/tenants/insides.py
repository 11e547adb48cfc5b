"""What functions, policies and views read inside JSON columns, and documents that have all of it.

A trigger that takes a name out of a document fails on one without a name, and a membership whose role stands in a document is no
membership without it. Columns are known by name alone: a function reads `new.settings` of whichever table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.shadow.tenants import claims, expressions
from reconciler.shadow.tenants.claims import Session
from reconciler.shadow.tenants.expressions import Ask
from reconciler.shadow.tenants.roles import ADMIN, SUPER, label
from reconciler.shadow.tenants.tokens import column, constants, tokens

Path = tuple[str, ...]


@dataclass(slots=True)
class Inside:
    """By path: the type to which the value is cast ("" for none), and the texts with which it is compared. `missing` are paths that may be
    missing: an ordinary member has no invitation that is still open."""

    casts: dict[Path, str] = field(default_factory=dict)
    words: dict[Path, dict[str, None]] = field(default_factory=dict)
    missing: set[Path] = field(default_factory=set)


def gather(reader: Session) -> dict[str, Inside]:
    """What is read inside each column that somewhere stands before a JSON arrow, by the column's name."""
    made: dict[str, Inside] = {}
    catalogue = reader.catalogue
    texts = [
        p for r in catalogue.relations.values() for policy in r.policies for p in (policy.using, policy.check)
    ]
    texts += [r.definition for r in catalogue.relations.values()]
    sources = [tokens(text) for text in texts if "->" in text or "#>" in text]
    sources += [
        reader.body(f)
        for f in catalogue.functions.values()
        if f.language in ("sql", "plpgsql") and not f.extension and ("->" in f.body or "#>" in f.body)
    ]
    for found in sources:
        for read in expressions.insides(found):
            name = column(read.base)
            if name is not None:
                inside = made.setdefault(name[1], Inside())
                inside.casts[read.path] = read.cast or inside.casts.get(read.path, "")
                inside.missing |= {read.path} if read.missing else set()
        for one, other in expressions.equalities(found):
            words = constants(other)
            for read in expressions.insides(one) if words else ():
                name = column(read.base)
                if name is not None:
                    inside = made.setdefault(name[1], Inside())
                    inside.words.setdefault(read.path, {}).update(dict.fromkeys(words))
    return made


@dataclass(frozen=True, slots=True)
class Whose:
    """For whom a document is made: texts that mark it, keys of their tenant and user, whether it is a membership, and one with more rights."""

    canary: str
    tenant: str = ""
    user: str = ""
    member: bool = False
    admin: bool = False


def document(inside: Inside, whose: Whose) -> str:
    """A JSON text with a value at every path that is read: the tenant's or user's key, of the type it is cast to, one of the texts it is compared
    with, or a canary. What could be a key of something else is left out."""
    made: dict[str, object] = {}
    for path in sorted(inside.casts, key=lambda path: (-len(path), path)):
        if whose.member and any(path[: len(gone)] == gone for gone in inside.missing):
            continue
        place, ok = made, True
        for key in path[:-1]:
            inner = place.setdefault(key, {})
            ok = ok and isinstance(inner, dict) and not key.lstrip("-").isdigit()
            place = inner if isinstance(inner, dict) else {}
        if ok and not isinstance(place.get(path[-1]), dict):
            value = _value(path[-1], inside.casts[path], tuple(inside.words.get(path, ())), whose)
            place |= {path[-1]: value} if value is not None else {}
    return json.dumps(made)


def rules(inside: Inside) -> bool:
    """Whether the document says who may do more than an ordinary member."""
    return any(
        "role" in path[-1].lower() and any(ADMIN.search(w) for w in words)
        for path, words in inside.words.items()
    )


_FINE = re.compile("active|accepted|enabled|approved|confirmed", re.IGNORECASE)
_CASTS: Mapping[str, object] = {
    "int": 1, "integer": 1, "int4": 1, "int8": 1, "bigint": 1, "smallint": 1, "int2": 1, "numeric": 1, "float8": 1, "real": 1,
    "double": 1, "bool": False, "boolean": False, "date": "2024-01-01",
    "timestamptz": "2024-01-01T00:00:00Z", "timestamp": "2024-01-01T00:00:00", "jsonb": {}, "json": {},
}  # fmt: skip


def _value(name: str, cast: str, words: tuple[str, ...], whose: Whose) -> object:
    meaning = claims.meaning(Ask("", (name,)))
    if meaning in ("tenant", "user"):
        return (whose.tenant if meaning == "tenant" else whose.user) or None
    if cast == "uuid" or re.search(r"(_id|[a-z]Id)$", name):
        return None
    if cast in _CASTS:
        return _CASTS[cast]
    if words and "role" in name.lower():
        return label(words, whose.admin)
    plain = [w for w in words if w and not ADMIN.search(w) and not SUPER.search(w)]
    plain.sort(key=lambda word: not _FINE.fullmatch(word))
    return plain[0] if plain else f"{whose.canary}_0"
