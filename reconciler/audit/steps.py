"""Steps by which somebody makes themself more than they are: one UPDATE of a flag, a role or a level in a table that says what people may
do, or one INSERT there that refers to a row of the other tenant, or says what stands in one.

Finds those that PostgreSQL lets an identity of A take: each is tried once and taken back. What can be reached after one is for the attacks
to find out. Never changes whose a row is: that is another attack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice, product

from reconciler.audit.arguments import CONFIDENTIAL
from reconciler.audit.attacks.arena import taken_away
from reconciler.audit.attacks.target import Target
from reconciler.audit.attempt import attempt, over
from reconciler.audit.scene import Scene, Step
from reconciler.pg import ident, literal
from reconciler.shadow.tenants import claims, evidence
from reconciler.shadow.tenants.catalogue import Column, Relation
from reconciler.shadow.tenants.evidence import Evidence
from reconciler.shadow.tenants.roles import ADMIN
from reconciler.shadow.tenants.tokens import tokens
from reconciler.shadow.tenants.values import Identity

MOST = 6
"""How many steps of one identity are followed up."""
_LINKS = 2
"""To how many rows of B's one of A's own is made to refer."""
_TEXTS = ("text", "citext", "character varying")
_SECRET = re.compile(
    rf"{CONFIDENTIAL.pattern}|(invit|join|share|access|claim|redeem|reset|verif|confirm)\w*[ _]code|voucher|coupon",
    re.IGNORECASE,
)
_POWER = re.compile(
    r"(^|_)(roles?|level|rank|permissions?|admin|administrator|superuser|super|staff|moderator|manager|owner|root|boss)$"
)


def steps(scene: Scene, identity: Identity) -> tuple[Step, ...]:
    """The steps that this identity may take, those up first. Asked once for each identity."""
    if identity.name not in scene.steps:
        if identity.sides == ("A",) and not identity.bypasses:
            up, linked = _up(scene, identity), _linked(scene, identity)
            taken = (islice(_taken(scene, identity, known), MOST) for known in (up, linked))
            scene.steps[identity.name] = tuple(chain.from_iterable(taken))
        else:
            scene.steps[identity.name] = ()
    return scene.steps[identity.name]


def _taken(scene: Scene, identity: Identity, known: Iterable[Step]) -> Iterator[Step]:
    for step in known:
        answer = attempt(scene.both, identity, step.sql, setup=step.setup)
        over(scene.both)
        if answer.trouble is None and answer.results and answer.results[-1].count:
            yield step


def _up(scene: Scene, identity: Identity) -> list[Step]:
    known = [
        step for oid in sorted(scene.authority | scene.consulted) for step in _possible(scene, identity, oid)
    ]
    return sorted(known, key=lambda step: (not step.power, not ADMIN.search(step.value)))


def _linked(scene: Scene, identity: Identity) -> Iterator[Step]:
    """A row of one's own put back with a reference to a row of B's, where policies ask that table who may see what."""
    for oid in sorted(scene.consulted - scene.authority):
        relation, rights = scene.catalogue.relations.get(oid), scene.surface.of(identity.role, oid)
        if relation is None or relation.kind not in ("r", "p") or not rights.may("INSERT") or rights.bypasses:
            continue
        target = Target(scene, relation, relation, identity, rights)
        columns, mine = target.writable(rights.insert), target.own()[:1]
        for key, row in product(relation.keys, mine):
            parent = scene.catalogue.relations.get(key.target)
            if (
                parent is None
                or parent.id == scene.world.tenancy.users
                or set(key.columns) & set(target.deciding)
            ):
                continue
            for theirs in scene.rows(parent, "B")[:_LINKS] if set(key.columns) <= set(columns) else ():
                pointed = {own: theirs.values[it] for own, it in zip(key.columns, key.theirs, strict=True)}
                names = ", ".join(key.columns)
                does = f"refers to a row of tenant B by {names} in {relation.id}"
                sql = target.insertion(columns, {**row.values, **pointed})
                yield Step(oid, names, "", sql, False, does, (taken_away(relation, [row]),))
        for name, row in product(columns, mine):
            for of, text in (
                islice(_called_alike(scene, relation, name), _LINKS) if name not in target.deciding else ()
            ):
                does = f"puts {name} of a row of tenant B in {of.id} into a row of its own in {relation.id}"
                sql = target.insertion(columns, {**row.values, name: text})
                yield Step(oid, name, text, sql, False, does, (taken_away(relation, [row]),))


def _called_alike(scene: Scene, relation: Relation, name: str) -> Iterator[tuple[Relation, str]]:
    """What a row of B has in a text column of another table that is called like this one (`email`): policies may hold the one against the other.
    What nobody of A knows (a token, an invitation's code) opens what it is meant to open."""
    column = relation.column(name)
    held = {own for key in relation.keys for own in key.columns}
    if (
        column is None
        or name in held
        or not column.type.startswith(_TEXTS)
        or _SECRET.search(f"{relation.name} {name}")
    ):
        return
    for other in scene.catalogue.relations.values():
        for there in other.columns if other.kind in ("r", "p") and other.oid != relation.oid else ():
            alike = there.name.rpartition("_")[2] == name.rpartition("_")[2] and there.type.startswith(_TEXTS)
            text = next((row.values[there.name] for row in scene.rows(other, "B")), None) if alike else None
            if text and not _SECRET.search(f"{other.name} {there.name}"):
                yield other, text


def _possible(scene: Scene, identity: Identity, oid: int) -> Iterator[Step]:
    relation = scene.catalogue.relations.get(oid)
    rights = scene.surface.of(identity.role, oid)
    if relation is None or relation.kind not in ("r", "p") or not rights.may("UPDATE") or rights.bypasses:
        return
    keys = {name for names in relation.unique for name in names} | set(relation.primary)
    keys |= {name for key in relation.keys for name in key.columns} | set(scene.owner_of(relation).columns)
    for column in relation.columns:
        if column.generated or column.name in keys or column.name not in rights.update:
            continue
        for value in _values(scene, relation, column):
            sql = f"update {relation.sql} set {ident(column.name)} = {value}"
            does = f"sets {column.name} to {value} in {relation.id}"
            yield Step(oid, column.name, value, sql, bool(_POWER.search(column.name)), does)


def _values(scene: Scene, relation: Relation, column: Column) -> Iterator[str]:
    """What the column may be set to that somebody could have asked for: the other way round, each label, each text it is compared with."""
    if column.type == "boolean":
        yield f"not coalesce({ident(column.name)}, false)"
        return
    words = list(scene.catalogue.labels.get(column.type, ()))
    if column.type in ("text", "citext") or column.type.startswith("character varying"):
        words = list(_read(scene).constants.get((relation.oid, column.name), ()))
        for check in relation.checks:
            found = tokens(check)
            if any(t.kind == "name" and t.text == column.name for t in found):
                words += [t.text for t in found if t.kind == "string"]
    for word in dict.fromkeys(words):
        yield f"{literal(word)}::{column.type}"


def _read(scene: Scene) -> Evidence:
    if not scene.evidence:
        scene.evidence.append(evidence.gather(claims.session(scene.catalogue)))
    return scene.evidence[0]
