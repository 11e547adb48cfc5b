"""What policies compare each column with: a user, a tenant, a set reached through a membership, or a column of another table.

Reads the policies of all tables and the bodies of the functions that they call. Says nothing about whose a table is: that is decided
from this and from the keys, in `tenancy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from reconciler.shadow.tenants import expressions
from reconciler.shadow.tenants.catalogue import Catalogue, Relation
from reconciler.shadow.tenants.claims import Session, stem
from reconciler.shadow.tenants.expressions import Ask
from reconciler.shadow.tenants.tokens import Token, closing, column, constants, tokens

Place = tuple[int, str]
"""A column: OID of its table, name."""
Bond = Literal["user", "tenant", "member", "other", "email"]
"""What a column is held against: the session's user, its tenant, what a membership leads to, or something else of the session."""


@dataclass(slots=True)
class Evidence:
    """`bonds` by column with where that was read; `links` are columns that are equated with each other; `asking` are tables whose policies ask
    more of the session than its role, `conditional` the policies (table, name) that ask anything at all; `constants` the texts that a column is compared with; `elsewhere` are columns held against the user by a function or by the policy of
    another table, `looked_up` the tables that these read beside their own, as memberships are; `asks` and `words` are all that policies ask, `answers` the constants with which an answer is compared."""

    bonds: dict[Place, dict[Bond, str]] = field(default_factory=dict)
    links: set[tuple[Place, Place]] = field(default_factory=set)
    asking: set[int] = field(default_factory=set)
    constants: dict[Place, dict[str, None]] = field(default_factory=dict)
    elsewhere: set[Place] = field(default_factory=set)
    looked_up: set[int] = field(default_factory=set)
    conditional: set[tuple[int, str]] = field(default_factory=set)
    asks: set[Ask] = field(default_factory=set)
    answers: dict[Ask, dict[str, None]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)

    def of(self, table: int, column: str) -> dict[Bond, str]:
        return self.bonds.get((table, column), {})

    def table(self, table: int) -> dict[Bond, str]:
        """All bonds of a table's columns together."""
        return {b: w for (oid, _), bonds in self.bonds.items() if oid == table for b, w in bonds.items()}


def gather(reader: Session) -> Evidence:
    """Reads every policy once, and every function that policies call once."""
    catalogue, made = reader.catalogue, Evidence()
    functions: set[int] = set()
    for relation in catalogue.tables:
        for policy in relation.policies:
            where = f"policy {policy.name} on {relation.sql}"
            for text in (policy.using, policy.check):
                found = tokens(text)
                asked = reader.asked(found)
                functions |= asked.functions
                made.asks |= asked.asks
                made.words |= asked.words
                if asked.meanings - {"role"}:
                    made.asking.add(relation.oid)
                if asked.anything:
                    made.conditional.add((relation.oid, policy.name))
                _read(reader, made, found, relation, where)
    for oid in sorted(functions):
        function = catalogue.functions[oid]
        if not function.extension:
            _read(reader, made, reader.body(function), None, f"function {function.schema}.{function.name}")
    return made


def _read(reader: Session, made: Evidence, found: Sequence[Token], own: Relation | None, where: str) -> None:
    names = _named(reader.catalogue, found, own)
    if reader.asked(found).anything:
        made.looked_up |= {r.oid for r in names.values() if own is None or r.oid != own.oid}
    for ask, type_ in expressions.casts(found, reader.documents):
        for enum, words in reader.catalogue.labels.items():
            if enum.rsplit(".", 1)[-1].strip('"') == type_:
                made.answers.setdefault(ask, {}).update(dict.fromkeys(words))
    for one, other in expressions.equalities(found):
        said = dict.fromkeys(constants(other))
        if said and column(one) is None:
            for ask in reader.asked(one).asks:
                made.answers.setdefault(ask, {}).update(said)
    for comparison in expressions.comparisons(found):
        place = _place(names, own, comparison.column)
        if place is None:
            continue
        other = comparison.other
        texts = dict.fromkeys(constants(other))
        if texts:
            made.constants.setdefault(place, {}).update(texts)
        linked = column(other)
        target = _place(names, own, linked) if linked is not None else _selected(reader.catalogue, other)
        if target is not None:
            made.links.add((place, target))
        bond = _bond(reader, other, place)
        if bond is not None and linked is None:
            made.bonds.setdefault(place, {}).setdefault(bond, where)
            if bond == "user" and (own is None or place[0] != own.oid):
                made.elsewhere.add(place)
    for function, at in reader.called(found):
        if not reader.of(function).anything:
            continue
        for argument in _arguments(found[at + 1 : closing(found, at)]):
            name = column(argument)
            place = _place(names, own, name) if name is not None else None
            if place is not None:
                made.bonds.setdefault(place, {}).setdefault("member", where)


def _bond(reader: Session, other: Sequence[Token], place: Place) -> Bond | None:
    asked = reader.asked(other)
    if not asked.anything:
        return None
    meanings = asked.meanings
    if "tenant" in meanings:
        return "tenant"
    if asked.reads:  # a subquery, or a function that looks something up
        return "member"
    for meaning in ("user", "email"):
        if meaning in meanings:
            return "user" if meaning == "user" else "email"
    # a setting that is called like the column, or like the table whose key it is, is what this database calls a tenant
    table = reader.catalogue.relations[place[0]]
    called = (
        {stem(table.name)}
        if table.primary == (place[1],)
        else {stem(place[1])} - {"id", "key", "name", "code"}
    )
    return (
        "tenant" if any(stem(a.path[-1] if a.path else a.setting) in called for a in asked.asks) else "other"
    )


def _named(catalogue: Catalogue, found: Sequence[Token], own: Relation | None) -> dict[str, Relation]:
    """alias → table, for what the text reads."""
    by_name: dict[str, Relation] = {}
    for alias, (schema, name) in expressions.sources(found).items():
        for relation in catalogue.relations.values():
            if relation.name == name and (not schema or relation.schema == schema):
                by_name[alias] = relation
                break
    if own is not None:
        by_name.setdefault(own.name, own)
    return by_name


def _place(names: dict[str, Relation], own: Relation | None, column: tuple[str, str]) -> Place | None:
    qualifier, name = column
    if qualifier:
        relation = names.get(qualifier)
        return (relation.oid, name) if relation is not None and relation.column(name) else None
    if own is not None and own.column(name):
        return (own.oid, name)
    having = {r.oid for r in names.values() if r.column(name)}
    return (having.pop(), name) if len(having) == 1 else None


def _selected(catalogue: Catalogue, other: Sequence[Token]) -> Place | None:
    """The first column that a subquery selects."""
    texts = [token.text for token in other]
    if "select" not in texts or "from" not in texts:
        return None
    start, end = texts.index("select") + 1, texts.index("from")
    name = column(other[start:end])
    return _place(_named(catalogue, other, None), None, name) if name is not None else None


def _arguments(found: Sequence[Token]) -> list[Sequence[Token]]:
    made: list[Sequence[Token]] = []
    start, depth = 0, 0
    for i, token in enumerate(found):
        if token.kind == "other":
            depth += (token.text in "([") - (token.text in ")]")
            if token.text == "," and not depth:
                made.append(found[start:i])
                start = i + 1
    return [*made, found[start:]]
