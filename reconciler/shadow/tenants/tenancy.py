"""Whose the rows of each table are: decided from declarations, policies, foreign keys and names, each time with the reason.

`read` looks at the catalog only, so it serves an empty database as well as one with rows. What cannot be decided is `unknown`,
never guessed: somebody says it in the configuration, or it stays a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.shadow.tenants import alike, catalogue, claims, evidence
from reconciler.shadow.tenants.catalogue import Catalogue, Key, Relation
from reconciler.shadow.tenants.claims import Session
from reconciler.shadow.tenants.evidence import Evidence
from reconciler.shadow.tenants.landmarks import Landmarks, landmarks, settled
from reconciler.shadow.tenants.owners import direct, through
from reconciler.shadow.tenants.values import Owned, Tenancy

Connection = psycopg.Connection[TupleRow]


def read(
    connection: Connection, *, tenant_column: str = "", declared: Mapping[str, str] | None = None
) -> Tenancy:
    """Classifies every table and partitioned table.

    `tenant_column` is what the configuration calls it, ignored where no table has such a column. `declared` says, by the name of a table
    (`schema.name`, or the name alone), what it is: `global`, `root`, `user`, or the column that names its tenant or user.
    """
    return examine(connection, tenant_column=tenant_column, declared=declared).tenancy


@dataclass(frozen=True, slots=True)
class Examined:
    """A tenancy with everything that it was decided from."""

    known: Catalogue
    reader: Session
    found: Evidence
    marks: Landmarks
    tenancy: Tenancy


def examine(
    connection: Connection,
    *,
    tenant_column: str = "",
    declared: Mapping[str, str] | None = None,
    given: Tenancy | None = None,
) -> Examined:
    """Like `read`, for who also needs the reasons. `given` is a tenancy that was read before and wins."""
    known = catalogue.read(connection)
    reader = claims.session(known)
    found = evidence.gather(reader)
    if given is not None:
        return Examined(known, reader, found, settled(known, landmarks(known, found, "", {}), given), given)
    said = {r.oid: word for r in known.tables if (word := _declared(r, declared or {}))}
    marks = landmarks(known, found, tenant_column, said)
    decided: dict[int, Owned] = {}
    heads = [r for r in known.tables if not _follows(known, r)]
    for relation in heads:
        owned = direct(known, found, marks, relation, said.get(relation.oid, ""))
        if owned is not None:
            decided[relation.oid] = owned
    _spread(known, marks, heads, decided)
    called_so = [
        owned
        for r in heads
        if r.oid not in decided
        and not r.extension
        and (owned := alike.tenants(known, decided, r)) is not None
    ]
    if called_so:
        oids = {relation.id: relation.oid for relation in heads}
        decided |= {oids[owned.table]: owned for owned in called_so}
        _spread(known, marks, heads, decided)
    for relation in heads:
        if relation.oid not in decided:
            decided[relation.oid] = _rest(known, found, decided, relation)
    for relation in known.tables:
        _follow(known, decided, relation)
    tables = {known.relations[oid].id: owned for oid, owned in decided.items()}
    root = known.relations[marks.root].id if marks.root else None
    users = known.relations[marks.users].id if marks.users else None
    return Examined(known, reader, found, marks, Tenancy(dict(sorted(tables.items())), root, users))


def _declared(relation: Relation, declared: Mapping[str, str]) -> str:
    names = (f"{relation.schema}.{relation.name}", relation.sql, relation.name)
    return next((declared[name] for name in names if name in declared), "")


def _follows(known: Catalogue, relation: Relation) -> bool:
    return relation.above in known.relations


def _follow(known: Catalogue, decided: dict[int, Owned], relation: Relation) -> Owned | None:
    """What a partition or heir is: what the table above it is."""
    if relation.oid not in decided and _follows(known, relation):
        above = _follow(known, decided, known.relations[relation.above])
        if above is not None:
            what = "a partition of" if relation.partition else "inherits from"
            why = f"{what} {known.relations[relation.above].sql}: {above.why}"
            decided[relation.oid] = Owned(relation.id, above.ownership, above.columns, above.owner, why)
    return decided.get(relation.oid)


def _spread(known: Catalogue, marks: Landmarks, heads: list[Relation], decided: dict[int, Owned]) -> None:
    """Ownership through foreign keys, the nearest first: to a tenant before to a user, through a key that is always set before
    one that may be NULL."""
    stages = [(True, True), (True, False), (False, True), (False, False)]
    at = 0
    while at < len(stages):
        needed, tenants = stages[at]
        new: dict[int, Owned] = {}
        for relation in heads:
            if relation.oid in decided:
                continue
            keys = [key for key in relation.keys if _leads(known, decided, relation, key, needed)]
            if tenants:
                keys = [key for key in keys if decided[key.target].ownership != "user"]
            if keys:
                new[relation.oid] = through(known, marks, decided, relation, keys)
        decided |= new
        at = 0 if new else at + 1


def _leads(
    known: Catalogue, decided: Mapping[int, Owned], relation: Relation, key: Key, needed: bool
) -> bool:
    target = decided.get(key.target)
    if target is None or not target.owner or key.target == relation.oid:
        return False
    columns = [relation.column(name) for name in key.columns]
    return not needed or all(c is not None and c.not_null for c in columns)


_WRITES = {"insert": "a*", "update": "w*", "delete": "d*"}


def _writers(known: Catalogue, found: Evidence, relation: Relation) -> tuple[str, ...]:
    """The roles bound by row-level security that may write the table and meet no closed door."""
    writers = set()
    owners = {r.owner for r in known.tables}
    for role, privilege, _ in relation.rights:
        bound = role == "public" or (
            role in known.roles and not known.roles[role].bypasses and role not in owners
        )
        if not bound or privilege not in _WRITES:
            continue
        doors = [
            p
            for p in relation.policies
            if p.permissive
            and p.command in _WRITES[privilege]
            and {role, "public"} & set(p.roles)
            and (relation.oid, p.name) not in found.conditional
        ]
        if not relation.secured or doors:
            writers.add(role)
    return tuple(sorted(writers))


def _rest(known: Catalogue, found: Evidence, decided: Mapping[int, Owned], relation: Relation) -> Owned:
    """What nothing leads to: everybody's on purpose, or unknown."""
    if relation.extension:
        return Owned(relation.id, "global", why=f"it belongs to the extension {relation.extension}")
    if relation.oid in found.asking:
        bonds = sorted(c for (oid, c) in found.bonds if oid == relation.oid)
        about = f" about {', '.join(bonds)}" if bonds else ""
        return Owned(
            relation.id, "unknown", why=f"its policies ask something of the session{about}, but no column names a tenant or a user"
        )  # fmt: skip
    pointing = sorted(
        known.relations[oid].sql
        for oid, owned in decided.items()
        if owned.owner and any(key.target == relation.oid for key in known.relations[oid].keys)
    )
    if pointing:
        return Owned(
            relation.id, "global", why=f"nothing in it names a tenant, and rows of several tenants may point to it ({pointing[0]})"
        )  # fmt: skip
    writers = _writers(known, found, relation)
    doubt = alike.doubt(known, decided, relation)
    if doubt:
        return Owned(relation.id, "unknown", why=doubt)
    if not writers:
        return Owned(
            relation.id,
            "global",
            why="nothing in it names a tenant, and no role bound by row-level security may write it",
        )
    return Owned(
        relation.id, "unknown", why=f"nothing in it names a tenant or a user, yet {' and '.join(writers)} may write it"
    )  # fmt: skip
