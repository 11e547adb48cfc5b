"""The declared state of one database, as a scratch database and a snapshot.

What the target holds beyond the managed schemas (platform schemas, extensions, default privileges) is laid down first, so that
declarations find what they will find there; then the declarations are loaded as the role that will apply them. Owners
that no declaration names are taken from the target: who happened to create a table is no drift.
"""

from __future__ import annotations

import fnmatch
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.kinds import KINDS, Context
from reconciler.catalog.scope import Scope
from reconciler.declare import Declarations, DeclaredFile
from reconciler.engine import defaults
from reconciler.engine.declared import Said
from reconciler.errors import Stalled
from reconciler.model import ObjectId, Snapshot
from reconciler.pg import Secret, Url, connect, ident, literal
from reconciler.plan.complete import complete
from reconciler.platforms import managed_schemas
from reconciler.settings import Database
from reconciler.shadow import trial
from reconciler.shadow.materialise import load
from reconciler.shadow.scratch import Shadow

Connection = psycopg.Connection[TupleRow]
Trust = Literal["untrusted", "reviewed"]
DECLARER = "reconciler_declarer"
"""The unprivileged login that loads untrusted declarations where the applying role itself cannot be made one."""
_AROUND = ("extension", "default_privilege")
"""Kinds outside schemas that a target may have by itself and that declarations rest on."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The declared state. `database` is a scratch database nobody is connected to; `untouched` are objects that stand
    in it without any declaration.
    """

    database: Url
    snapshot: Snapshot
    untouched: frozenset[ObjectId]


def scope_of(database: Database, declarations: Said, owned: Collection[ObjectId]) -> Scope:
    """Which schemas are managed: as configured, or public, those declared, and those we created something in. Where objects come
    from that are renamed, too."""
    platform = managed_schemas(database.platform)
    hidden = frozenset(database.exclude) | platform
    lent = frozenset(
        s for s in platform if not any(fnmatch.fnmatchcase(s, pattern) for pattern in database.exclude)
    )
    if database.schemas != "auto":
        chosen = frozenset(database.schemas)
        return Scope(
            chosen | {_schema_of(r.old) for r in declarations.renames if _schema_of(r.new) in chosen},
            hidden,
            lent=lent,
        )
    declared = {id.schema for id in declarations.places if id.schema}
    declared |= {schema for rename in declarations.renames if (schema := _schema_of(rename.old))}
    declared |= {id.name for id in (*declarations.places, *owned) if id.kind == "schema"}
    declared |= {id.schema for id in owned if id.schema}
    kept = {
        s for s in declared | {"public"} if not any(fnmatch.fnmatchcase(s, pattern) for pattern in hidden)
    }
    return Scope(frozenset(kept), hidden, lent=lent)


def desired(
    declarations: Declarations,
    live: Snapshot,
    whole: Snapshot,
    *,
    shadow: Shadow,
    scope: Scope,
    role: str,
    trust: Trust,
    owned: Collection[ObjectId],
    typed: frozenset[ObjectId],
) -> Desired:
    """Loads the declarations. `live` is the target in `scope`, `whole` the target without limits; `role` will apply; `typed` are default
    privileges that the target has by somebody's hand.

    Raises Stalled with file and line for what PostgreSQL rejects.
    """
    known = (
        shadow.admin.execute("select from pg_catalog.pg_roles where rolname = %s", (role,)).fetchone()
        is not None
    )
    if not known:
        raise Stalled(
            f"the shadow has no role {role}, as which the plan would be applied",
            hint=f"create role {ident(role)} on the shadow, or use --shadow embedded",
        )
    database = shadow.create(owner=role)
    laid, bare = _lay_down(database, whole, scope, owned, role, declarations)
    with connect(database) as connection:
        around = catalog.read(connection)
        pristine = catalog.within(around, scope)
    _load(database, defaults.beside(declarations.files, {id.name for id in bare}), shadow, role, trust)
    with connect(database) as connection:
        everything = catalog.read(connection)
        found = catalog.within(everything, scope)
        if _give_to_owners(connection, found, live, declarations, role):
            found = catalog.read(connection, scope)
        if laid & typed and defaults.disputed(found, live):
            plain = _without(typed, declarations, whole, shadow, scope, role, trust, owned)
            if defaults.leave(connection, found, plain, live, role):
                found = catalog.read(connection, scope)
    _refuse_foreign(around, everything, whole, scope, declarations)
    untouched = frozenset(
        id for id, digest in found.digests.items() if pristine.digests.get(id) == digest and id not in bare
    )
    return Desired(database, found, untouched)


def _without(
    typed: frozenset[ObjectId], declarations: Declarations, whole: Snapshot, shadow: Shadow, scope: Scope, role: str, trust: Trust,
    owned: Collection[ObjectId],
) -> Snapshot:  # fmt: skip
    """The declarations where nobody has typed those default privileges."""
    kept = catalog.restricted(whole, frozenset(whole.digests.keys() - typed))
    database = shadow.create(owner=role)
    try:
        _, bare = _lay_down(database, kept, scope, owned, role, declarations)
        _load(database, defaults.beside(declarations.files, {id.name for id in bare}), shadow, role, trust)
        with connect(database) as connection:
            return catalog.read(connection, scope)
    finally:
        shadow.drop(database)


def _lay_down(
    database: Url, whole: Snapshot, scope: Scope, owned: Collection[ObjectId], role: str, declarations: Declarations
) -> tuple[frozenset[ObjectId], frozenset[ObjectId]]:  # fmt: skip
    """What stands around the managed schemas, with all it rests on. What rests on something in them cannot stand there yet, nor does it
    change what declarations mean. Returns what was laid down, and the schemas among it that the declarations make themselves."""
    managed = catalog.inside(whole, scope)
    start = {
        id for id in whole.facts
        if (id.kind in _AROUND and id not in owned) or (_schema_of(id) and id not in managed)
    }  # fmt: skip
    chosen: set[ObjectId] = set()
    todo = list(start)
    while todo:
        id = todo.pop()
        if id in chosen or (id in managed and _schema_of(id) and id.kind != "schema"):
            continue
        chosen.add(id)
        todo += whole.edges.get(id, ())
    while lacking := {id for id in chosen if not _rests_on(whole, id) <= chosen}:
        chosen -= lacking
    if not chosen:
        return frozenset(), frozenset()
    with connect(database) as connection:
        empty = catalog.read(connection)
        bare = defaults.created(declarations.places, empty) & chosen
        wanted = catalog.restricted(whole, chosen)
        wanted = catalog.merged(wanted, {id: defaults.bare(whole.facts[id], role) for id in bare}, {})
        wanted = catalog.merged(wanted, {i: f for i, f in empty.facts.items() if i not in chosen}, {})
        trial.run(connection, complete(Context(empty, wanted, connection.info.user)))
    return frozenset(chosen), bare


def _rests_on(whole: Snapshot, id: ObjectId) -> set[ObjectId]:
    needs = set(whole.edges.get(id, ()))
    parent = whole.facts[id].parent
    return (needs if parent is None else needs | {parent}) & whole.facts.keys()


def _refuse_foreign(
    before: Snapshot, after: Snapshot, whole: Snapshot, scope: Scope, declarations: Declarations
) -> None:
    """Raises Stalled when the declarations change what belongs to the platform and the target has it otherwise: nobody would ever bring
    it there. `before` and `after` they were loaded."""
    managed = catalog.inside(after, scope)
    foreign = [
        id for id in sorted(before.digests.keys() | after.digests.keys())
        if _schema_of(id) in scope.lent and id not in managed and before.digests.get(id) != after.digests.get(id)
        and after.digests.get(id) != whole.digests.get(id)
    ]  # fmt: skip
    if not foreign:
        return
    places = (
        f"{id.kind} {id}" + (f" ({place})" if (place := declarations.places.get(id)) else "")
        for id in foreign[:5]
    )
    raise Stalled(
        f"this belongs to the platform, and only triggers and policies on its tables are managed: {', '.join(places)}",
        hint="take it out of the declarations and have it done by hand, as the platform's manual says",
    )


def _schema_of(id: ObjectId) -> str:
    return id.name if id.kind == "schema" else id.schema


def _load(database: Url, files: tuple[DeclaredFile, ...], shadow: Shadow, role: str, trust: Trust) -> None:
    if trust == "reviewed":
        with connect(database) as connection:
            load(connection, files, role=None if role == connection.info.user else role)
        return
    if not shadow.own:
        with connect(database) as connection:
            load(connection, files, role=None)
        return
    password = secrets.token_urlsafe(24)
    login = f"nosuperuser login password {literal(password)}"
    if (
        role == shadow.url.user
    ):  # the server's first role cannot stop being a superuser: another one stands in for it
        shadow.admin.execute(f"create role {DECLARER} {login}")
        shadow.admin.execute(f"alter database {ident(database.database)} owner to {DECLARER}")
    else:
        rights = shadow.admin.execute(
            "select rolsuper from pg_catalog.pg_roles where rolname = %s", (role,)
        ).fetchone()
        shadow.admin.execute(f"alter role {ident(role)} {login}")
    try:
        user = DECLARER if role == shadow.url.user else role
        with connect(database.with_options(user=user, password=Secret(password))) as connection:
            load(connection, files)
    finally:
        if role == shadow.url.user:
            with connect(database) as connection:
                connection.execute(f"reassign owned by {DECLARER} to {ident(role)}")
                connection.execute(f"drop owned by {DECLARER}")
                connection.execute(f"drop role {DECLARER}")
        elif rights and rights[0]:
            shadow.admin.execute(f"alter role {ident(role)} superuser")


def _give_to_owners(
    connection: Connection, found: Snapshot, live: Snapshot, declarations: Declarations, role: str
) -> bool:
    """Hands each object whose owner no declaration names to the owner it has on the target. True when one changed."""
    named = [
        s.sql for file in declarations.files for s in file.statements
        if re.search(rf"\bowner\s+to\s+\"?{re.escape(role)}\"?", s.sql, re.IGNORECASE)
    ]  # fmt: skip
    changed = False
    context = Context(found, found, role)
    before = {rename.new: rename.old for rename in declarations.renames}
    for id, fact in found.facts.items():
        there = live.facts.get(id) or live.facts.get(_before(id, before))
        if there is None or fact["owner"] != role or there["owner"] == role or not there["owner"]:
            continue
        if any(re.search(rf"\b{re.escape(id.name)}\b", sql) for sql in named):
            continue
        given = replace(fact, attributes={**fact.attributes, "owner": there["owner"]})
        alteration = KINDS[id.kind].alter(fact, given, context)
        for statement in alteration.statements if alteration else ():
            connection.execute(statement.sql.encode())
            changed = True
    return changed


def _before(id: ObjectId, renamed: Mapping[ObjectId, ObjectId]) -> ObjectId:
    """What an object was called before a declared rename, of itself or of its schema."""
    id = renamed.get(id, id)
    schema = renamed.get(ObjectId("schema", "", id.schema))
    return id._replace(schema=schema.name) if schema is not None else id


def with_what_is_there(found: Snapshot, untouched: Collection[ObjectId], live: Snapshot) -> Snapshot:
    """Objects that exist without any declaration (the schema public, extensions) are wanted as the target has them."""
    taken = {id: live.facts[id] for id in untouched if id in live.facts}
    gone = {id for id in untouched if id not in live.facts}
    kept = catalog.restricted(found, found.digests.keys() - gone)
    return catalog.merged(kept, taken, {id: live.edges.get(id, frozenset()) for id in taken})


def depends_on(
    declarations: Said,
    live: Snapshot,
    whole: Snapshot,
    scope: Scope,
    role: str,
    owned: Collection[ObjectId],
    typed: frozenset[ObjectId],
) -> list[object]:
    """Everything the declared state is made from, as values for a cache key."""
    around = sorted(
        (str(i), i.kind, d)
        for i, d in whole.digests.items()
        if i.kind in _AROUND or (_schema_of(i) not in scope and i not in live.digests)
    )
    owners = sorted(
        (str(i), i.kind, f["owner"]) for i, f in live.facts.items() if f["owner"] and f["owner"] != role
    )
    # What default privileges alone would give is as it is on the target.
    granted = (
        sorted((str(i), i.kind, repr(f["acl"])) for i, f in live.facts.items() if f["acl"] is not None)
        if typed
        else []
    )
    return [
        granted, declarations.digest, live.major, repr(scope.schemas and sorted(scope.schemas)), sorted(scope.hidden), sorted(scope.lent), role,
        around, owners, sorted((i.kind, str(i)) for i in owned if i.kind in _AROUND),
    ]  # fmt: skip
