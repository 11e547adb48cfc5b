"""What policies, views and the functions they call ask of a session: settings, JSON claims inside them, the current user.

`Session.asked` follows calls through the bodies of functions to any depth. What an ask means (a user, a tenant, a role, an e-mail
address) is read from its name alone; calibration finds out whether that was right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from reconciler.shadow.tenants import expressions
from reconciler.shadow.tenants.catalogue import Catalogue, Function
from reconciler.shadow.tenants.expressions import Ask
from reconciler.shadow.tenants.tokens import Token, calls, tokens

Meaning = Literal["user", "tenant", "role", "email", "other"]
STEMS = (
    "tenant", "org", "organization", "organisation", "workspace", "account", "company", "team", "customer", "client",
    "business", "agency", "merchant", "shop", "store", "site", "school", "clinic", "practice", "firm", "household", "club", "group",
)  # fmt: skip
"""What tenants are conventionally called, the most telling first."""
SURE = STEMS[:8]
"""Those that say enough in a database whose policies say nothing."""
USERS = ("user", "users", "sub", "uid", "userid", "person", "actor", "principal", "subject")
_NULL = re.compile(r"\b(\w+)\s+is\s+null\b", re.IGNORECASE)
_NOT_NULL = re.compile(r"\b(\w+)\s+is\s+not\s+null\b", re.IGNORECASE)
_WORDS = frozenset({"current_user", "session_user", "current_role"})


def stem(name: str) -> str:
    """`current_org_id`, `orgId`, `orgs` and `org` are all `org`."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_").rsplit(".", 1)[-1]
    plain = re.sub(r"^(current|active|selected|my|app|x|id|the|jwt|auth|request|parent)_", "", plain)
    plain = re.sub(r"_?(ids?|uuids?|keys?|slug|ref)$", "", plain) or plain
    if plain.endswith("ies"):
        return plain[:-3] + "y"
    return plain[:-1] if plain.endswith("s") and not plain.endswith("ss") else plain


def meaning(ask: Ask) -> Meaning:
    """From the last key of a claim, or the last part of a setting's name."""
    name = ask.path[-1] if ask.path else ask.setting
    bare, word = name.rsplit(".", 1)[-1].lower(), stem(name)
    if bare in ("sub", "uid") or word in USERS or word.endswith(("_user", "_person")) or word == "user":
        return "user"
    if word in STEMS or word.endswith(tuple(f"_{s}" for s in STEMS)):
        return "tenant"
    if word != "service_role" and (word == "role" or word.endswith("_role")):
        return "role"
    if word in ("email", "mail", "user_email"):
        return "email"
    return "other"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a piece of SQL asks: settings and claims, `words` like current_user, the functions it calls (OIDs) and, as
    (schema, name), the relations that it or they read.
    """

    asks: frozenset[Ask] = frozenset()
    words: frozenset[str] = frozenset()
    functions: frozenset[int] = frozenset()
    reads: frozenset[tuple[str, str]] = frozenset()

    def __or__(self, other: Asked) -> Asked:
        return Asked(
            self.asks | other.asks, self.words | other.words, self.functions | other.functions, self.reads | other.reads
        )  # fmt: skip

    @property
    def meanings(self) -> set[Meaning]:
        return {meaning(ask) for ask in self.asks} | ({"user"} if self.words else set())

    @property
    def anything(self) -> bool:
        return bool(self.asks or self.words)


@dataclass(slots=True)
class Session:
    """Reads SQL of one database. `documents` are functions that return a JSON setting."""

    catalogue: Catalogue
    documents: dict[tuple[str, str], str] = field(default_factory=dict)
    _known: dict[int, Asked] = field(default_factory=dict)
    _open: frozenset[str] | None = None
    _tokens: dict[int, tuple[Token, ...]] = field(default_factory=dict)

    def body(self, function: Function) -> tuple[Token, ...]:
        if function.oid not in self._tokens:
            self._tokens[function.oid] = tokens(function.body)
        return self._tokens[function.oid]

    def still_open(self) -> frozenset[str]:
        """The names of columns that policies, views or functions want to be NULL, and none of them wants to hold a value: as of an
        invitation that nobody has accepted yet."""
        if self._open is None:
            texts = [f.body for f in self.catalogue.functions.values() if not f.extension]
            for relation in self.catalogue.relations.values():
                texts += [relation.definition, *(t for p in relation.policies for t in (p.using, p.check))]
            wanted = {name.lower() for text in texts for name in _NULL.findall(text)}
            refused = {name.lower() for text in texts for name in _NOT_NULL.findall(text)}
            self._open = frozenset(wanted - refused)
        return self._open

    def asked(self, found: Sequence[Token]) -> Asked:
        """What these tokens ask, themselves and through the functions that they call."""
        return self._asked(found, frozenset())

    def called(self, found: Sequence[Token]) -> list[tuple[Function, int]]:
        """The functions that are called, with the position of the parenthesis."""
        made = []
        for schema, name, at in calls(found):
            for function in self.catalogue.named.get(name, ()):
                if not schema or schema == function.schema:
                    made.append((function, at))
        return made

    def of(self, function: Function) -> Asked:
        """What a function asks, everything included that it calls."""
        return self._of(function, frozenset())

    def _asked(self, found: Sequence[Token], above: frozenset[int]) -> Asked:
        here = Asked(
            frozenset(expressions.asks(found, self.documents)),
            frozenset(t.text for t in found if t.kind == "name" and not t.quoted and t.text in _WORDS),
            reads=frozenset(expressions.sources(found).values()),
        )
        for function, _ in self.called(found):
            if function.oid not in above and (function.schema, function.name) not in self.documents:
                here |= self._of(function, above) | Asked(functions=frozenset({function.oid}))
        return here

    def _of(self, function: Function, above: frozenset[int]) -> Asked:
        if function.oid not in self._known:
            if function.language not in ("sql", "plpgsql") or function.extension:
                return Asked()
            self._known[function.oid] = self._asked(self.body(function), above | {function.oid})
        return self._known[function.oid]


def session(catalogue: Catalogue) -> Session:
    """A reader for this database: first learns which functions hand out a JSON document of claims."""
    made = Session(catalogue)
    for function in catalogue.functions.values():
        if function.returns in ("json", "jsonb") and not function.extension:
            settings = {a.setting for a in expressions.asks(made.body(function), {}) if not a.path}
            documents = sorted(s for s in settings if s.startswith("request.jwt")) or sorted(settings)
            if documents:
                made.documents[function.schema, function.name] = documents[-1]
    return made


def everything(reader: Session) -> Asked:
    """All that policies, views and triggers of the database ask."""
    found = Asked()
    for relation in reader.catalogue.relations.values():
        for text in (relation.definition, *(t for p in relation.policies for t in (p.using, p.check))):
            if text:
                found |= reader.asked(tokens(text))
    for function in reader.catalogue.functions.values():
        if function.returns == "trigger":
            found |= reader.of(function)
    return found


def by_meaning(asks: Iterable[Ask]) -> Mapping[Meaning, tuple[Ask, ...]]:
    """Asks grouped by what they seem to mean, in order."""
    made: dict[Meaning, list[Ask]] = {}
    for ask in sorted(asks, key=lambda a: (a.setting, a.path)):
        made.setdefault(meaning(ask), []).append(ask)
    return {key: tuple(value) for key, value in made.items()}
