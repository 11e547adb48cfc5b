"""Whose the rows of one table are: by its own columns, or by what its keys lead to, as an SQL expression over the row `x`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Catalogue, Key, Relation
from reconciler.shadow.tenants.claims import STEMS, USERS, stem
from reconciler.shadow.tenants.evidence import Evidence
from reconciler.shadow.tenants.landmarks import Landmarks, keyed_by
from reconciler.shadow.tenants.values import Owned


def tenant_columns(known: Catalogue, marks: Landmarks, relation: Relation) -> list[str]:
    """The columns that name a tenant, those with a key to the root first, NOT NULL before others."""
    keyed = [
        k.columns[0]
        for k in relation.keys
        if len(k.columns) == 1 and marks.root and k.target == marks.root and k.theirs[0] == marks.root_key
    ]
    for key in relation.keys:  # the tenant's column as a part of a wider key to the root
        if marks.root and key.target == marks.root and len(key.columns) > 1 and marks.root_key in key.theirs:
            keyed.append(key.columns[key.theirs.index(marks.root_key)])
    elsewhere = {
        k.columns[0]
        for k in relation.keys
        if len(k.columns) == 1 and k.target != marks.root and not _named_too(known, marks, k)
    }
    named = [
        c.name
        for c in relation.columns
        if c.name in marks.tenant_names and c.name not in keyed and c.name not in elsewhere
    ]
    every = [*dict.fromkeys(keyed), *named]
    if relation.oid == marks.root:
        every = [c for c in every if c == marks.root_key]
    needed = {c.name for c in relation.columns if c.not_null}
    return sorted(
        every,
        key=lambda name: (
            name not in needed,
            name not in marks.tenant_names,
            stem(name) not in STEMS,
            every.index(name),
        ),
    )


def _named_too(known: Catalogue, marks: Landmarks, key: Key) -> bool:
    """Whether a key leads to a column that names the tenant itself, like the primary key of a settings table."""
    return key.theirs[0] in marks.tenant_names


def user_columns(known: Catalogue, found: Evidence, marks: Landmarks, relation: Relation) -> list[str]:
    """The columns that hold a user's key: those that policies hold against the user first, then those with a key to a user."""
    bound = [c.name for c in relation.columns if "user" in found.of(relation.oid, c.name)]
    keyed = [
        key.columns[0]
        for key in relation.keys
        if len(key.columns) == 1 and marks.user_tables.get(key.target) == key.theirs[0]
    ]
    ranked = sorted(keyed, key=lambda name: (stem(name) not in (*USERS, "owner", "member", "profile"), name))
    return list(dict.fromkeys([*bound, *ranked]))


def direct(
    known: Catalogue, found: Evidence, marks: Landmarks, relation: Relation, said: str
) -> Owned | None:
    """What a table is by its own columns; None where only its keys can tell."""
    id, name = relation.id, relation.sql
    tenants, users = tenant_columns(known, marks, relation), user_columns(known, found, marks, relation)
    if said in ("global", "shared"):
        return Owned(id, "global", why="the configuration says so")
    if said and relation.column(said):
        ownership = "user" if said in users else "tenant"
        return Owned(
            id,
            "user" if ownership == "user" else "tenant",
            (said,),
            _text(said),
            f"the configuration names {said}",
        )
    if relation.extension:
        return Owned(id, "global", why=f"it belongs to the extension {relation.extension}")
    if relation.oid == marks.root:
        return Owned(id, "root", (marks.root_key,), _text(marks.root_key), "one row of it is one tenant")
    if relation.oid in marks.user_tables and not tenants:
        column = marks.user_tables[relation.oid]
        return Owned(id, "user", (column,), _text(column), f"its key {column} is a user")
    user = _member(known, found, marks, relation, tenants, users)
    if user:
        return Owned(
            id, "membership", (tenants[0], user), _text(tenants[0]), f"it pairs the tenant ({tenants[0]}) with a user ({user})"
        )  # fmt: skip
    bonds = {column: found.of(relation.oid, column) for column in (*tenants, *users)}
    bound_user = next((c for c in users if "user" in bonds[c]), "")
    tenant_bound = any(b in found.table(relation.oid) for b in ("tenant", "member"))
    if bound_user and (said == "user" or not tenant_bound):
        return Owned(
            id,
            "user",
            (bound_user,),
            _text(bound_user),
            f"{bonds[bound_user]['user']} holds {bound_user} against the user",
        )
    if tenants:
        column = tenants[0]
        why = next((f"{where} holds {column} against the session" for b, where in bonds[column].items()), "")
        keyed = (
            f"{column} points to {known.relations[marks.root].sql}"
            if keyed_by(relation, column) and marks.root
            else ""
        )
        return Owned(
            id,
            "tenant",
            (column,),
            _text(column),
            why or keyed or f"{column} names the tenant, as in other tables",
        )
    if users and not _leads_to_tenant(known, marks, relation, frozenset({relation.oid})):
        column = users[0]
        return Owned(id, "user", (column,), _text(column), f"{column} of {name} is a user")
    return None


def _member(
    known: Catalogue,
    found: Evidence,
    marks: Landmarks,
    relation: Relation,
    tenants: Sequence[str],
    users: Sequence[str],
) -> str:
    """The column of the user in a table of memberships; empty when the table is none."""
    persons = [k.columns[0] for k in relation.keys if len(k.columns) == 1 and k.target in marks.people]
    users = [name for name in (*users, *persons) if name not in tenants]
    if not tenants or not users or relation.oid in marks.user_tables:
        return ""
    for user in users:
        for names in relation.unique:
            if user in names and set(names) & set(tenants) and len(names) <= 3:
                return user
    asked = [c for c in users if "user" in found.of(relation.oid, c)]
    read_elsewhere = any(
        target[0] == relation.oid and place[0] != relation.oid and target[1] in tenants for place, target in found.links
    )  # fmt: skip
    return asked[0] if asked and read_elsewhere else ""


def _leads_to_tenant(known: Catalogue, marks: Landmarks, relation: Relation, seen: frozenset[int]) -> bool:
    """Whether keys that cannot be NULL lead to a table with a tenant's column."""
    for key in relation.keys:
        target = known.relations.get(key.target)
        needed = all((c := relation.column(name)) is not None and c.not_null for name in key.columns)
        if target is None or not needed or target.oid in seen or target.oid in marks.user_tables:
            continue
        if target.oid == marks.root or tenant_columns(known, marks, target):
            return True
        if _leads_to_tenant(known, marks, target, seen | {target.oid}):
            return True
    return False


def _text(column: str) -> str:
    return f"x.{ident(column)}::text"


def through(
    known: Catalogue, marks: Landmarks, decided: Mapping[int, Owned], relation: Relation, keys: Sequence[Key]
) -> Owned:
    """Whose the rows are through these keys: a tenant's where one leads to a tenant, else a user's."""
    tenant = [key for key in keys if decided[key.target].ownership != "user"]
    chosen = tenant or list(keys)
    needed = [
        k for k in chosen if all((c := relation.column(n)) is not None and c.not_null for n in k.columns)
    ]
    used = needed[:1] or chosen
    parts = [
        _one(decided[key.target], known.relations[key.target], key, _depth(decided[key.target].owner))
        for key in used
    ]
    owner = parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"
    columns = tuple(dict.fromkeys(name for key in used for name in key.columns))
    leads = " or ".join(f"{', '.join(key.columns)} to {known.relations[key.target].sql}" for key in used)
    if tenant:
        return Owned(relation.id, "via", columns, owner, f"foreign key from {leads}")
    return Owned(relation.id, "user", columns, owner, f"foreign key from {leads}, which is a user's")


def _depth(owner: str) -> int:
    return owner.count("(select ") + 1


def _one(owned: Owned, target: Relation, key: Key, depth: int) -> str:
    """The owner of the row that a key points to. Its `x` becomes another letter, so that ours stays visible."""
    alias = f"x{depth}"
    inner = _OURS.sub(lambda found: found.group(1) or f"{alias}.", owned.owner)
    same = " and ".join(
        f"{alias}.{ident(b)} = x.{ident(a)}" for a, b in zip(key.columns, key.theirs, strict=True)
    )
    return f"(select {inner} from {target.sql} as {alias} where {same})"


_OURS = re.compile(r'("(?:[^"]|"")*")|(?<!from )\bx\.')
"""The row `x` in an owner's expression; names in quotes are passed over."""
