"""Who acts: each role with the settings that the policies of this database ask of a session, for users of A and of both tenants.

Knows no table by name. What a setting or claim means is read from its name; `calibrate` finds out whether that was right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from reconciler.errors import Stalled
from reconciler.pg import ident, literal
from reconciler.shadow.tenants import claims
from reconciler.shadow.tenants.claims import Asked
from reconciler.shadow.tenants.expressions import Ask
from reconciler.shadow.tenants.roles import bypassing, label, named, ordinary, owners
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.values import Identity, Side, World

JWT = "request.jwt.claims"
_FULLY = 3
"""Roles that every person acts as; further ones act for one member."""
Answers = Mapping[Ask, str]
"""What a setting or claim is to hold, where that is not to be read from its name."""


def become(identity: Identity) -> tuple[str, ...]:
    """SQL for the beginning of a transaction: its settings first, then the role."""
    settings = [
        f"select pg_catalog.set_config({literal(name)}, {literal(value)}, true)"
        for name, value in identity.settings.items()
    ]
    return (*settings, f"set local role {ident(identity.role)}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody for whom sessions are opened: the keys of their user and of their tenants, the one they act for first."""

    name: str = ""
    user: str = ""
    email: str = ""
    tenants: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """An identity of the configuration: in its settings `{tenant}` and `{user}` stand for the keys of their (first) tenant and user."""

    name: str
    role: str
    sides: tuple[Side, ...]
    settings: Mapping[str, str]


def told(
    recipes: Sequence[Recipe], seen: Examined, keys: Mapping[Side, str], users: Mapping[Side, Sequence[str]]
) -> Iterator[Identity]:
    """The identities of the configuration. Stalled when a role is not there."""
    for recipe in recipes:
        if recipe.role not in seen.known.roles:
            raise Stalled(
                f"identity {recipe.name!r} acts as the role {recipe.role}, which does not exist", hint="correct audit.identities in the configuration"
            )  # fmt: skip
        side: Side = recipe.sides[0] if recipe.sides else "A"
        theirs = users[side]
        user = theirs[2] if len(recipe.sides) > 1 and len(theirs) > 2 else "".join(theirs[:1])
        words = {"{tenant}": keys[side] if recipe.sides else "", "{user}": user if recipe.sides else ""}
        filled = {name: _filled(value, words) for name, value in recipe.settings.items()}
        yield Identity(recipe.name, recipe.role, filled, recipe.sides, seen.known.roles[recipe.role].bypasses)


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def people(
    keys: Mapping[Side, str],
    users: Mapping[Side, Sequence[str]],
    emails: Mapping[str, str],
    admins: bool,
    shared: bool,
) -> Iterator[Person]:
    """The users of A: a member, a second one (who may do more, where `admins` exist), and, where memberships can be `shared`, one of both."""
    names = (
        "member of A",
        "admin of A" if admins else "second user of A",
        "user of A and B" if shared else "",
    )
    for n, (name, user) in enumerate(zip(names, users["A"], strict=False)):
        if name:
            sides: tuple[Side, ...] = ("A", "B") if n == 2 else ("A",)
            yield Person(
                name, user, emails.get(user, ""), tuple(keys[s] for s in sides), sides, n == 1 and admins
            )


def members(seen: Examined, found: Sequence[Person]) -> Iterator[tuple[Identity, Person]]:
    """Every person in every role that row-level security binds. Who differs from another in the name alone is left out."""
    asked = claims.everything(seen.reader)
    roles = ordinary(seen)
    made: set[str] = set()
    for n, role in enumerate(roles):
        for person in found if n < _FULLY else found[:1]:
            suffix = f" as {role}" if len(roles) > 1 and role != "authenticated" else ""
            identity = Identity(person.name + suffix, role, settings(seen, asked, person, role), person.sides)
            if repr((role, identity.settings)) not in made:
                made.add(repr((role, identity.settings)))
                yield identity, person


def others(seen: Examined, member: Person) -> Iterator[Identity]:
    """Nobody in particular, the roles that nothing binds, and those that own the tables (they act with a member's claims)."""
    asked = claims.everything(seen.reader)
    if "anon" in named(seen) | seen.known.reach:
        yield Identity("anon", "anon", settings(seen, asked, Person(), "anon"))
    for role in bypassing(seen):
        yield Identity(role, role, settings(seen, asked, Person(), role), bypasses=True)
    for role in owners(seen):
        given = settings(seen, asked, member, "authenticated")
        yield Identity(f"owner {role}", role, given, ("A",), seen.known.roles[role].bypasses)


def settings(
    seen: Examined, asked: Asked, person: Person, role: str, answers: Answers | None = None
) -> dict[str, str]:
    """The settings of a request by this person, as far as anything asks for them and its meaning is known."""
    documents: dict[str, dict[str, object]] = {}
    plain: dict[str, str] = {}
    for ask in sorted(asked.asks, key=lambda a: (a.setting, a.path)):
        if "." not in ask.setting:  # the server's own, like `role`
            continue
        # one setting for each claim, as older gateways send them, only where nothing asks for the document
        older = ask.setting.startswith("request.jwt.claim.")
        older = older and not any(other.setting == JWT for other in asked.asks)
        if ask.setting.startswith("request.jwt") and not older:
            document = documents.setdefault(JWT, {"role": role})
            if person.user:
                document.setdefault("sub", person.user)
        elif ask.path and not older:
            documents.setdefault(ask.setting, {})  # a gateway always sends the document, if an empty one
        value = (answers or {}).get(ask) or _value(seen, ask, person, role)
        if not value or (ask.setting.startswith("request.jwt.claim") and not ask.path and not older):
            continue
        if ask.path:
            setting = JWT if ask.setting.startswith("request.jwt") else ask.setting
            _put(documents.setdefault(setting, {}), ask.path, value)
        else:
            plain[ask.setting] = value if isinstance(value, str) else ",".join(value)
    return {name: json.dumps(document) for name, document in documents.items()} | plain


def _value(seen: Examined, ask: Ask, person: Person, role: str) -> str | list[str]:
    last = ask.path[-1] if ask.path else ask.setting
    match claims.meaning(ask):
        case "user":
            return person.user
        case "tenant":
            several = last.lower().endswith("s")
            return list(person.tenants) if several else "".join(person.tenants[:1])
        case "role" if ask.setting.startswith("request.jwt") and len(ask.path) < 2 and last.endswith("role"):
            return (
                role if last in ("role", "request.jwt.claim.role") else label(_words(seen, ask), person.admin)
            )
        case "role" if person.user:
            return label(_words(seen, ask), person.admin)
        case "email":
            return person.email
        case "other" if claims.stem(last) in _tenants(seen):
            return "".join(person.tenants[:1])
    return ""


def _tenants(seen: Examined) -> set[str]:
    """What a tenant is called in this database, conventional or not: the table of tenants and the columns that point to it. Calibration alone would not
    find it out where one policy shows rows of B: it takes no reading that does."""
    root = seen.known.relations.get(seen.marks.root)
    names = {*seen.marks.tenant_names, *([root.name] if root else [])}
    return {claims.stem(name) for name in names} - {""}


def _words(seen: Examined, ask: Ask) -> tuple[str, ...]:
    return tuple(seen.found.answers.get(ask, ()))


def _put(document: dict[str, object], path: Sequence[str], value: object) -> None:
    for key in path[:-1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        document = inner
    document[path[-1]] = value


def variants(identity: Identity, world: World) -> tuple[Identity, ...]:
    """The same role with claims that must not help: none, empty ones, and B's keys where a client writes: user_metadata, request headers."""
    if not identity.settings:
        return ()
    nobody = replace(identity, sides=())
    found = [
        replace(nobody, name=f"{identity.name}, no claims", settings={}),
        replace(nobody, name=f"{identity.name}, empty claims", settings=dict.fromkeys(identity.settings, "")),
    ]
    if JWT in identity.settings and world.users["B"]:
        document = json.loads(identity.settings[JWT])
        theirs = {
            key: _forged(value, world) for key, value in document.items() if key not in ("role", _WRITTEN)
        }
        written = _forged(document.get(_WRITTEN, {}), world)
        theirs |= _inner(theirs) | _POWERS | (written if isinstance(written, dict) else {})
        forged = {**document, _WRITTEN: theirs}
        name = f"{identity.name}, forged user_metadata"
        found.append(replace(identity, name=name, settings={**identity.settings, JWT: json.dumps(forged)}))
    sent = {n: _replaced(v, world) for n, v in identity.settings.items() if n in _SENT}
    if any(value != identity.settings[name] for name, value in sent.items()):
        name = f"{identity.name}, forged headers"
        found.append(replace(identity, name=name, settings={**identity.settings, **sent}))
    return tuple(found)


_WRITTEN = "user_metadata"
"""What users write themselves (Supabase: auth.updateUser)."""
_POWERS = {"role": "admin", "is_admin": True, "is_super_admin": True}
_SENT = ("request.headers", "request.cookies", "request.path")
"""What PostgREST passes on as it came from the client."""


def _replaced(text: str, world: World) -> str:
    """A's keys replaced by B's: the values of a document, however short they are, else what stands in the text."""
    if text[:1] == "{":
        with suppress(ValueError):
            return json.dumps(_forged(json.loads(text), world))
    for mine, theirs in (
        (world.keys["A"], world.keys["B"]),
        *zip(world.users["A"], world.users["B"], strict=False),
    ):
        text = text.replace(mine, theirs) if len(mine) > 3 else text
    return text


def _inner(document: Mapping[str, object]) -> dict[str, object]:
    """What stands inside app_metadata and the like, one level up."""
    return {k: v for value in document.values() if isinstance(value, dict) for k, v in value.items()}


def _forged(value: object, world: World) -> object:
    """The value with every key of A replaced by B's."""
    if isinstance(value, dict):
        return {inner: _forged(v, world) for inner, v in value.items()}
    if isinstance(value, list):
        return [_forged(v, world) for v in value]
    if value == world.keys["A"]:
        return world.keys["B"]
    return world.users["B"][0] if value in world.users["A"] else value
