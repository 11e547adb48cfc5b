"""The table of tenants, the one of users, and what the tenant's column is called: everything else is told from these.

Found by points: for what policies hold against the session, for pairs with a user that policies look up, for conventional names. A declared root
and a configured column win over all that is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from reconciler.shadow.tenants.catalogue import Catalogue, Relation
from reconciler.shadow.tenants.claims import STEMS, SURE, USERS, stem
from reconciler.shadow.tenants.evidence import Evidence
from reconciler.shadow.tenants.values import Tenancy

_CONFIGURED = 1_000
"""What the configured column weighs: more than all that is read."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """`root` and `users` are OIDs, 0 where there is none. `tenant_names` are the columns that name a tenant without a key to the root,
    `user_tables` those whose primary key is a user's: the table of users first, then profiles. `people` are, beyond these, tables with one row for each
    user under a key of their own, by the column that holds the user's key.
    """

    root: int = 0
    users: int = 0
    root_key: str = ""
    user_key: str = ""
    tenant_names: frozenset[str] = frozenset()
    user_tables: Mapping[int, str] = field(default_factory=dict)
    people: Mapping[int, str] = field(default_factory=dict)


def landmarks(known: Catalogue, found: Evidence, tenant_column: str, said: Mapping[int, str]) -> Landmarks:
    """Finds them; a declared `root` wins, then the configured column, then what policies hold against the session, then names."""
    users, user_key = _users(known, found)
    mirrors = _mirrors(known, users, user_key)
    declared = [oid for oid, word in said.items() if word == "root"]
    people = _people(known, mirrors)
    root = declared[0] if declared else _root(known, found, tenant_column, mirrors, people)
    root_key = ""
    if root:
        relation = known.relations[root]
        root_key = _root_key(known, relation)
    names = _names(known, found, tenant_column, root, mirrors)
    return Landmarks(root, users, root_key, user_key, names, mirrors, people)


def settled(known: Catalogue, marks: Landmarks, tenancy: Tenancy) -> Landmarks:
    """The landmarks that a tenancy names, whatever else was found."""
    oids = {relation.id: oid for oid, relation in known.relations.items()}
    root = oids.get(tenancy.root, 0) if tenancy.root else 0
    users = oids.get(tenancy.users, 0) if tenancy.users else 0
    kinds = ("tenant", "membership")
    names = {
        owned.columns[0] for owned in tenancy.tables.values() if owned.ownership in kinds and owned.columns
    }
    return replace(
        marks,
        root=root,
        root_key=tenancy.tables[tenancy.root].columns[0] if root and tenancy.root else "",
        users=users,
        user_key=_user_key(known, known.relations[users]) if users else "",
        tenant_names=frozenset(names),
    )


def _people(known: Catalogue, users: Mapping[int, str]) -> dict[int, str]:
    """Tables that hold each user once, and that others point to by another key."""
    pointed = {key.target for relation in known.tables for key in relation.keys}
    return {
        relation.oid: key.columns[0]
        for relation in known.tables
        if relation.oid not in users and relation.oid in pointed
        for key in relation.keys
        if key.columns in relation.unique and len(key.columns) == 1 and users.get(key.target) == key.theirs[0]
    }


def _users(known: Catalogue, found: Evidence) -> tuple[int, str]:
    scores: dict[int, float] = {}
    for relation in known.tables:
        if len(relation.primary) != 1 and relation.name not in ("users", "user"):
            continue
        if (relation.schema, relation.name) == ("auth", "users"):
            if not _used(known, found, relation):
                continue
            scores[relation.oid] = 1000
        if stem(relation.name) in USERS or stem(relation.name).endswith("_user"):
            scores[relation.oid] = scores.get(relation.oid, 0) + 1.5
        if relation.primary and "user" in found.of(relation.oid, relation.primary[0]):
            scores[relation.oid] = scores.get(relation.oid, 0) + 3
    for (oid, column), bonds in found.bonds.items():
        if "user" not in bonds:
            continue
        for key in known.relations[oid].keys:
            target = known.relations.get(key.target)
            if key.columns == (column,) and target is not None and target.primary == key.theirs:
                scores[key.target] = scores.get(key.target, 0) + 2
    if not scores:
        return 0, ""
    best = max(scores, key=lambda oid: (scores[oid], known.relations[oid].sql))
    relation = known.relations[best]
    return best, _user_key(known, relation)


def _user_key(known: Catalogue, users: Relation) -> str:
    """The column of the table of users that others name a user by."""
    if len(users.primary) == 1:
        return users.primary[0]
    pointed = [
        k.theirs[0] for r in known.tables for k in r.keys if k.target == users.oid and len(k.theirs) == 1
    ]
    named = [name for name in ("id", "user_id", "uid", "uuid") if users.column(name)]
    alone = [names[0] for names in users.unique if len(names) == 1]
    return [*pointed, *named, *alone, users.columns[0].name][0]


def _used(known: Catalogue, found: Evidence, users: Relation) -> bool:
    """Whether the platform's table of users is these users': something points to it, or policies ask for the subject of a token."""
    pointed = any(key.target == users.oid for relation in known.tables for key in relation.keys)
    return pointed or any(ask.setting.startswith("request.jwt") for ask in found.asks)


def _mirrors(known: Catalogue, users: int, user_key: str) -> dict[int, str]:
    """Tables whose single primary key is a foreign key to a user: profiles."""
    found = {users: user_key} if users else {}
    while True:
        new = {
            relation.oid: relation.primary[0]
            for relation in known.tables
            if relation.oid not in found and len(relation.primary) == 1
            for key in relation.keys
            if key.columns == relation.primary and found.get(key.target) == key.theirs[0]
        }
        if not new:
            return found
        found |= new


def _root(
    known: Catalogue, found: Evidence, tenant_column: str, users: Mapping[int, str], people: Mapping[int, str]
) -> int:
    scores: dict[int, float] = {}
    strong: set[int] = set()

    def add(oid: int, score: float) -> None:
        if (
            oid not in users
            and oid not in people
            and oid in known.relations
            and not known.relations[oid].extension
        ):
            scores[oid] = scores.get(oid, 0) + score
            if score >= 2:
                strong.add(oid)

    for relation in known.tables:
        if relation.above in known.relations:
            continue
        for key in relation.keys:
            if len(key.columns) != 1 or key.target == relation.oid:
                continue
            column = key.columns[0]
            bonds = found.of(relation.oid, column)
            telling = stem(column) in STEMS
            if (telling and (stem(column) in SURE or found.bonds)) or column == tenant_column:
                add(key.target, 1 + (len(STEMS) - STEMS.index(stem(column))) / 1000 if telling else 1)
            if column == tenant_column:
                add(key.target, _CONFIGURED)
            if "tenant" in bonds or ("member" in bonds and telling):
                add(key.target, 3)
            if _pairs(relation, column, {*users, *people}) and (telling or relation.oid in found.looked_up):
                add(key.target, 3 if telling else 2)
        if len(relation.primary) == 1:
            bonds = found.of(relation.oid, relation.primary[0])
            named = stem(relation.name) in STEMS
            if "tenant" in bonds:
                add(relation.oid, 3)
            if named and (bonds or stem(relation.primary[0]) == stem(relation.name)):
                add(relation.oid, 1)
            if relation.primary[0] == tenant_column:
                add(relation.oid, _CONFIGURED)
    # what is called like a tenant, but only ever asked for its user, belongs to a user like everything else
    eligible = {o: s for o, s in scores.items() if s >= 1.5 and (o in strong or "user" not in found.table(o))}
    loose = any(
        "tenant" in b and not keyed_by(known.relations[oid], c) for (oid, c), b in found.bonds.items()
    )
    if not eligible or (loose and not strong & eligible.keys()):
        return _by_name(known, found, tenant_column, users)
    return max(eligible, key=lambda oid: (eligible[oid], known.relations[oid].sql))


def _by_name(known: Catalogue, found: Evidence, tenant_column: str, users: Mapping[int, str]) -> int:
    """The table that is called like the tenant's column, where nothing points to it with a key."""
    wanted = {stem(c) for (_, c), bonds in found.bonds.items() if "tenant" in bonds and stem(c) in STEMS}
    wanted |= (
        {stem(tenant_column)}
        if tenant_column and any(r.column(tenant_column) for r in known.tables)
        else set()
    )
    for relation in known.tables:
        if stem(relation.name) in wanted and len(relation.primary) == 1 and relation.oid not in users:
            return relation.oid
    return 0


def _pairs(relation: Relation, column: str, users: Collection[int]) -> bool:
    """Whether a unique key of the table pairs the column with a user."""
    named = [key.columns[0] for key in relation.keys if len(key.columns) == 1 and key.target in users]
    return any(
        {user, column} <= set(names) and len(names) <= 3 for user in named for names in relation.unique
    )


def _root_key(known: Catalogue, root: Relation) -> str:
    """The column of the root that others name it by."""
    counts: dict[str, int] = {}
    for relation in known.tables:
        for key in relation.keys:
            if key.target == root.oid and len(key.theirs) == 1:
                counts[key.theirs[0]] = counts.get(key.theirs[0], 0) + 1
    if counts:
        return max(sorted(counts), key=lambda name: counts[name])
    return root.primary[0] if root.primary else root.columns[0].name


def _names(
    known: Catalogue, found: Evidence, tenant_column: str, root: int, users: Mapping[int, str]
) -> frozenset[str]:
    """What a tenant's column is called: as configured, as keys to the root are, as policies have it; else the commonest conventional name."""
    names: set[str] = set()
    if tenant_column and any(relation.column(tenant_column) for relation in known.tables):
        names.add(tenant_column)
    for relation in known.tables:
        for key in relation.keys:
            if root and key.target == root and len(key.columns) == 1 and stem(key.columns[0]) in STEMS:
                names.add(key.columns[0])
    for (oid, column), bonds in found.bonds.items():
        keyed = any(key.columns == (column,) for key in known.relations[oid].keys)
        if "tenant" in bonds and not keyed and oid != root and column not in ("id", "user_id"):
            names.add(column)
        if "member" in bonds and not keyed and stem(column) in STEMS:
            names.add(column)
    if not names:
        counts: dict[str, int] = {}
        for relation in known.tables:
            for one in relation.columns:
                if (
                    one.name.endswith(("_id", "_uuid"))
                    and stem(one.name) in SURE
                    and not keyed_by(relation, one.name)
                ):
                    counts[one.name] = counts.get(one.name, 0) + 1
        if counts:
            names.add(max(sorted(counts), key=lambda name: (counts[name], -STEMS.index(stem(name)))))
    return frozenset(names)


def keyed_by(relation: Relation, column: str) -> bool:
    """Whether the column is part of a foreign key."""
    return any(column in key.columns for key in relation.keys)
