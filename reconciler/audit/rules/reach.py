"""Who may do what: privileges as they come to a role, by itself, through PUBLIC and through membership.

Row-level security is not looked at here, only whether it binds a role at all. Superusers, roles with BYPASSRLS and the owner hold
everything anyway and are never among the holders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.audit.rules.catalog import PUBLIC, Catalog, Function, Grant, Relation, Role
from reconciler.platforms import Platform
from reconciler.platforms import roles as platform_roles

_ANONYMOUS = {"postgres": frozenset({PUBLIC}), "supabase": frozenset({PUBLIC, "anon"})}


def anonymous(platform: Platform) -> frozenset[str]:
    """Who stands for callers that nobody knows."""
    return _ANONYMOUS[platform]


def acting(catalog: Catalog, role: str) -> frozenset[str]:
    """The names under which a role finds privileges: its own, PUBLIC, and those it inherits from."""
    known = catalog.roles.get(role)
    return frozenset({role, PUBLIC}) | (known.inherits if known is not None else frozenset())


def may_enter(catalog: Catalog, role: str, schema: str) -> bool:
    """Whether the role may look names up in the schema. PUBLIC may when anybody may whom row-level security binds."""
    found = catalog.schemas.get(schema)
    if found is None:
        return False
    users = {grant.to for grant in found.grants if grant.privilege == "usage"}
    if role == PUBLIC:
        return bool(users - {name for name in users if is_unbound(catalog, name)})
    return bool(users & acting(catalog, role)) or found.owner in acting(catalog, role)


def is_unbound(catalog: Catalog, role: str) -> bool:
    """Whether row-level security never binds the role."""
    known = catalog.roles.get(role)
    return known is not None and known.unbound


def granted(grants: Iterable[Grant], *privileges: str, columns: bool = True) -> dict[str, tuple[str, ...]]:
    """Of these privileges, those that each grantee holds, on the whole or (with `columns`) on some column."""
    found: dict[str, set[str]] = {}
    for grant in grants:
        if grant.privilege in privileges and (columns or not grant.column):
            found.setdefault(grant.to, set()).add(grant.privilege)
    return {to: tuple(p for p in privileges if p in held) for to, held in sorted(found.items())}


def holders(
    catalog: Catalog, relation: Relation, *privileges: str, columns: bool = True
) -> dict[str, tuple[str, ...]]:
    """The same for a relation, of those only whom row-level security may bind and who can name the relation."""
    found = granted(relation.grants, *privileges, columns=columns)
    schema = relation.id.schema
    return {
        to: held
        for to, held in found.items()
        if not is_unbound(catalog, to)
        and any(may_enter(catalog, one, schema) for one in _through(catalog, to))
    }


def callers(catalog: Catalog, function: Function) -> tuple[str, ...]:
    """Who may call a function by its name, of those whom row-level security may bind."""
    found = granted(function.grants, "execute")
    schema = function.id.schema
    return tuple(
        to
        for to in found
        if not is_unbound(catalog, to)
        and any(may_enter(catalog, one, schema) for one in _through(catalog, to))
    )


def may(catalog: Catalog, role: str, relation: Relation, *privileges: str) -> bool:
    """Whether a role may do one of these to the relation, by whatever way."""
    names = acting(catalog, role)
    return relation.owner in names or any(
        g.to in names and g.privilege in privileges for g in relation.grants
    )


def _through(catalog: Catalog, role: str) -> tuple[str, ...]:
    """The role, and those who act with its privileges: a group's schema may be open to its members only."""
    members = (other.name for other in catalog.roles.values() if role in other.inherits and not other.unbound)
    return (role, *members)


def ordinary_owners(catalog: Catalog, relation: Relation) -> tuple[str, ...]:
    """Who acts as the owner: the owner, when sessions are its own, and members of it whose are. None of them bypasses row-level
    security by an attribute of its own."""
    owner = catalog.roles.get(relation.owner)
    if owner is None or owner.unbound:
        return ()
    return tuple(
        role.name
        for role in catalog.roles.values()
        if not role.unbound and has_sessions(catalog, role) and _acts_as(role, owner)
    )


def has_sessions(catalog: Catalog, role: Role) -> bool:
    """Whether somebody logs in as the role, or the platform's API acts as it."""
    return role.login or role.name in platform_roles(catalog.platform)


def _acts_as(role: Role, owner: Role) -> bool:
    return role.name == owner.name or owner.name in role.inherits | role.becomes


def words(held: Mapping[str, tuple[str, ...]]) -> str:
    """Who may do what, as a part of a sentence: `anon may select, insert; PUBLIC may select`."""
    return "; ".join(f"{shown(to)} may {', '.join(privileges)}" for to, privileges in held.items())


def shown(role: str) -> str:
    return "PUBLIC" if role == PUBLIC else role
