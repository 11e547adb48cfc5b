"""Default privileges that somebody typed on the target: what they give to declared objects, and the schemas they stand in.

They decide about what is made from now on. An object that the target has already was made before, so what they alone would give it
or take from it is no difference: it stays as it is there. Promises that whatever a declaration says of grants is compared as ever,
and that nobody is granted anything because somebody typed ALTER DEFAULT PRIVILEGES on the target. Never reads a meaning out of SQL
beyond CREATE SCHEMA.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.kinds import KINDS, Context
from reconciler.catalog.kinds.writing import default_acl
from reconciler.declare import DeclaredFile, DeclaredStatement
from reconciler.model import Fact, Json, ObjectId, Snapshot
from reconciler.platforms import Platform, roles

KIND = "default_privilege"
_CLASSES = {
    "table": "table",
    "view": "table",
    "materialized_view": "table",
    "foreign_table": "table",
    "sequence": "sequence",
    "identity": "sequence",
    "function": "function",
    "procedure": "function",
    "aggregate": "function",
    "enum": "type",
    "domain": "type",
    "composite": "type",
    "range": "type",
    "schema": "schema",
}
"""The kinds that default privileges reach, and what their class is called in GRANT."""
_OPERATORS = ("postgres", "supabase_admin", "dashboard_user")
"""Whom Supabase itself lets at what is made, beside the roles of its API."""
_NAME = r'"(?:[^"]|"")+"|[\w$]+'
_SCHEMA = re.compile(
    rf"create\s+schema\s+(?!if\s+not\s)(?P<name>(?!authorization\b)(?:{_NAME}))?\s*"
    rf"(?:authorization\s+(?P<owner>{_NAME}))?\s*\Z",
    re.IGNORECASE,
)


def typed(whole: Snapshot, owned: Collection[ObjectId], platform: Platform) -> frozenset[ObjectId]:
    """The default privileges that somebody typed on the target: neither our own, nor those by which the platform gives its roles
    everything new. What the platform's would give is part of what is declared there."""
    return frozenset(
        id
        for id, fact in whole.facts.items()
        if id.kind == KIND
        and id not in owned
        and not (
            platform == "supabase"
            and set(fact["acl"] or ()) <= {*roles(platform), *_OPERATORS, fact["owner"]}
        )
    )


def bare(fact: Fact, role: str) -> Fact:
    """A schema that declarations make and that has to be there before they are loaded: with nothing that they might say of it."""
    return replace(
        fact, attributes={**fact.attributes, "owner": role, "acl": None, "comment": None, "labels": None}
    )


def beside(files: Sequence[DeclaredFile], there: Collection[str]) -> tuple[DeclaredFile, ...]:
    """The files for a database that has these schemas already, where CREATE SCHEMA would be refused."""
    return tuple(
        replace(file, statements=tuple(_beside(one, there) for one in file.statements)) for file in files
    )


def _beside(statement: DeclaredStatement, there: Collection[str]) -> DeclaredStatement:
    found = _SCHEMA.match(statement.sql) if there else None
    named = found and (found["name"] or found["owner"])
    if found is None or not named or _said(named) not in there:
        return statement
    sql = (
        f"alter schema {named} owner to {found['owner']}" if found["owner"]
        else f"create schema if not exists {named}"
    )  # fmt: skip
    return replace(statement, sql=sql)


def _said(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def disputed(found: Snapshot, live: Snapshot) -> bool:
    """Whether an object that both have grants something here that it does not grant there, or the other way round."""
    return any(
        (there := live.facts.get(id)) is not None and fact["acl"] != there["acl"]
        for id, fact in found.facts.items()
        if id.kind in _CLASSES
    )


def leave(
    connection: psycopg.Connection[TupleRow], found: Snapshot, plain: Snapshot, live: Snapshot, role: str
) -> bool:
    """Takes back in the scratch database what default privileges alone gave to, or took from, objects that the target has without
    that. `plain` is the same declarations without them. True when something changed."""
    context = Context(found, found, role)
    changed = False
    for id, fact in found.facts.items():
        there, said = live.facts.get(id), plain.facts.get(id)
        if id.kind not in _CLASSES or there is None or said is None or fact["acl"] == said["acl"]:
            continue
        default = default_acl(_CLASSES[id.kind], found.major)
        wanted: Json = _between(*(default if f["acl"] is None else f["acl"] for f in (fact, said, there)))
        wanted = None if wanted == default else wanted
        if wanted == fact["acl"]:
            continue
        given = replace(fact, attributes={**fact.attributes, "acl": wanted})
        alteration = KINDS[id.kind].alter(fact, given, context)
        for statement in alteration.statements if alteration else ():
            connection.execute(statement.sql.encode())
            changed = True
    return changed


def _between(
    found: Mapping[str, Sequence[str]], said: Mapping[str, Sequence[str]], there: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """What both have, and of what only one of them has what is there."""
    wanted = {}
    for who in sorted({*found, *said}):
        with_them, without, on_target = (set(acl.get(who, ())) for acl in (found, said, there))
        granted = (with_them & without) | ((with_them ^ without) & on_target)
        if granted:
            wanted[who] = sorted(granted)
    return wanted


def created(declared: Collection[ObjectId], empty: Snapshot) -> frozenset[ObjectId]:
    """The schemas that the declarations make: an empty database has public by itself."""
    return frozenset(id for id in declared if id.kind == "schema" and id not in empty.facts)
