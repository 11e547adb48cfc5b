"""Who acts: each role with the settings that the policies of this database ask of a session, for users of A and of both tenants.

Knows no table by name. What a setting or claim means is read from its name; where that shows a member of A nothing of theirs, calibration
tries other ways to carry the same claims, and says so when none works.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident, literal
from reconciler.shadow.tenants import claims
from reconciler.shadow.tenants.claims import Asked
from reconciler.shadow.tenants.expressions import Ask
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.values import Identity, Side, World

Connection = psycopg.Connection[TupleRow]
JWT = "request.jwt.claims"


def become(identity: Identity) -> tuple[str, ...]:
    """SQL for the beginning of a transaction: its settings first, then the role."""
    settings = [
        f"select pg_catalog.set_config({literal(name)}, {literal(value)}, true)"
        for name, value in identity.settings.items()
    ]
    return (*settings, f"set local role {ident(identity.role)}")


def made(
    connection: Connection, seen: Examined, keys: Mapping[Side, str], users: Mapping[Side, Sequence[str]]
) -> tuple[tuple[Identity, ...], Mapping[str, str]]:
    """Everyone who acts on this world, and why some of them could not be made to see what is theirs."""
    asked = claims.everything(seen.reader)
    a, found = users["A"], []
    people = [
        ("member of A", a[:1], ("A",)),
        ("admin of A", a[1:2], ("A",)),
        ("user of A and B", a[2:3], ("A", "B")),
    ]
    roles = ordinary(seen)
    for role in roles:
        suffix = f" as {role}" if len(roles) > 1 and role != "authenticated" else ""
        for name, user, sides in people:
            if user:
                tenants = [keys[side] for side in sides]  # type: ignore[index]
                settings = _settings(asked, role, user[0], tenants, "")
                found.append(Identity(name + suffix, role, settings, sides))  # type: ignore[arg-type]
    if "anon" in seen.known.roles:
        found.append(Identity("anon", "anon", _settings(asked, "anon", "", (), "")))
    for role in bypassing(seen):
        found.append(Identity(role, role, _settings(asked, role, "", (), ""), bypasses=True))
    for role in owners(seen):
        bypasses = seen.known.roles[role].bypasses
        settings = _settings(asked, "authenticated", a[0], [keys["A"]], "")
        found.append(Identity(f"owner {role}", role, settings, ("A",), bypasses))
    return tuple(found), {}


def _settings(asked: Asked, role: str, user: str, tenants: Sequence[str], email: str) -> dict[str, str]:
    """The settings of a request by this user for the first of these tenants, as far as anything asks."""
    documents: dict[str, dict[str, object]] = {}
    plain: dict[str, str] = {}
    for ask in sorted(asked.asks, key=lambda a: (a.setting, a.path)):
        if "." not in ask.setting:  # the server's own, like `role`
            continue
        if ask.setting.startswith("request.jwt"):
            document = documents.setdefault(JWT, {"role": role})
            if user:
                document.setdefault("sub", user)
        value = _value(ask, role, user, tenants, email)
        if value is None or (ask.setting.startswith("request.jwt.claim") and not ask.path):
            continue
        if ask.path:
            setting = JWT if ask.setting.startswith("request.jwt") else ask.setting
            _put(documents.setdefault(setting, {}), ask.path, value)
        else:
            plain[ask.setting] = value if isinstance(value, str) else ",".join(value)
    return {name: json.dumps(document) for name, document in documents.items()} | plain


def _value(ask: Ask, role: str, user: str, tenants: Sequence[str], email: str) -> str | list[str] | None:
    meaning = claims.meaning(ask)
    if meaning == "user":
        return user or None
    if meaning == "tenant":
        last = ask.path[-1] if ask.path else ask.setting
        return (list(tenants) if last.endswith("s") else tenants[0]) if tenants else None
    if meaning == "role":
        return role
    if meaning == "email":
        return email or None
    return None


def _put(document: dict[str, object], path: Sequence[str], value: object) -> None:
    for key in path[:-1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        document = inner
    document[path[-1]] = value


def ordinary(seen: Examined) -> tuple[str, ...]:
    """The roles bound by row-level security that have a right on some table or view, or a policy; owners and anon left out."""
    named = {role for r in seen.known.relations.values() for role, _, _ in r.rights}
    named |= {role for r in seen.known.tables for policy in r.policies for role in policy.roles}
    found = {n for n in named & seen.known.roles.keys() if not seen.known.roles[n].bypasses}
    return tuple(sorted(found - set(owners(seen)) - {"anon"}))


def bypassing(seen: Examined) -> tuple[str, ...]:
    """The roles with rights that row-level security does not bind, owners left out."""
    named = {role for r in seen.known.relations.values() for role, _, _ in r.rights} & seen.known.roles.keys()
    return tuple(sorted(n for n in named if seen.known.roles[n].bypasses and n not in owners(seen)))


def owners(seen: Examined) -> tuple[str, ...]:
    """Who owns the tables that belong to a tenant or a user, the table of users left out, which may be the platform's."""
    owned = {id for id, o in seen.tenancy.tables.items() if o.owner}
    owned = owned - {seen.tenancy.users} or owned
    return tuple(sorted({r.owner for r in seen.known.tables if r.id in owned and not r.extension}))


def variants(identity: Identity, world: World) -> tuple[Identity, ...]:
    """The same role with claims that must not help: none, empty ones, and B's keys where a user could have written them."""
    if not identity.settings:
        return ()
    found = [
        Identity(f"{identity.name}, no claims", identity.role, {}, (), identity.bypasses),
        Identity(
            f"{identity.name}, empty claims",
            identity.role,
            dict.fromkeys(identity.settings, ""),
            (),
            identity.bypasses,
        ),
    ]
    if JWT in identity.settings:
        document = json.loads(identity.settings[JWT])
        forged = {
            key: _forged(key, value, world) for key, value in document.items() if key not in ("role", "sub")
        }
        settings = {
            **identity.settings,
            JWT: json.dumps({**document, "user_metadata": {**forged, "sub": world.users["B"][0]}}),
        }
        found.append(
            Identity(
                f"{identity.name}, forged user_metadata",
                identity.role,
                settings,
                identity.sides,
                identity.bypasses,
            )
        )
    return tuple(found)


def _forged(key: str, value: object, world: World) -> object:
    """The value with every key of A replaced by B's."""
    if isinstance(value, dict):
        return {inner: _forged(inner, v, world) for inner, v in value.items()}
    if isinstance(value, list):
        return [_forged(key, v, world) for v in value]
    if value == world.keys["A"]:
        return world.keys["B"]
    if value in world.users["A"]:
        return world.users["B"][0]
    return value
