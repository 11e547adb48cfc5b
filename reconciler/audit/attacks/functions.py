"""Every function and procedure that the identity may call: with A's keys, then with B's, all of them or one among A's.

An argument is matched to a column by its name, else by its type. Secrets stay A's own: who holds B's secret may act for B. What the
service role may be made to do is not tried here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.audit.scene import Scene, Whose
from reconciler.audit.surface import Argument, Routine
from reconciler.pg import literal
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.values import Identity

_PREFIX = re.compile(r"^(?:p|in|arg|v|i|_)_+|^_+|_+$")
_SECRET = re.compile(r"token|secret|passw|hash|otp|nonce|signature|api_?key", re.IGNORECASE)
_MOST = 6
_PLAIN = {
    "boolean": "true", "integer": "1", "bigint": "1", "smallint": "1", "numeric": "1", "real": "1",
    "double precision": "1", "date": "'2024-01-15'", "timestamp with time zone": "'2024-01-15'", "jsonb": "'{}'",
    "timestamp without time zone": "'2024-01-15'", "json": "'{}'", "interval": "'1 day'", "text": "'x'", "character varying": "'x'",
}  # fmt: skip


def attacks(scene: Scene, routine: Routine, identity: Identity) -> Attacks:
    mine = [choice(scene, routine, argument, "A", identity) for argument in routine.arguments]
    theirs = [choice(scene, routine, argument, "B", identity) for argument in routine.arguments]
    worked = yield _attack(routine, mine, "is called with keys of A", own=True)
    if worked.denied:
        return
    if worked.trouble is not None and routine.defaults:
        kept = len(mine) - routine.defaults
        shorter = yield _attack(routine, mine[:kept], "is called with keys of A", own=True)
        if shorter.trouble is None:
            mine, theirs = mine[:kept], theirs[:kept]
    for arguments, which in islice(_mixed(routine, mine, theirs), _MOST):
        done = yield _attack(routine, arguments, f"is called with {which} of tenant B")
        if done.leaked:
            return


def _mixed(routine: Routine, mine: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """Which calls are made: all B's, then each argument alone B's, then each alone A's."""
    places = [i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
    names = [argument.name or f"argument {i}" for i, argument in enumerate(routine.arguments, 1)]
    if not places:
        yield list(mine), "nothing"
        return
    yield list(theirs), ", ".join(names[i] for i in places)
    if len(places) > 1:
        for place in places:
            yield [theirs[i] if i == place else a for i, a in enumerate(mine)], names[place]
        for place in places:
            others = ", ".join(names[i] for i in places if i != place)
            yield [mine[i] if i == place else b for i, b in enumerate(theirs)], others


def _attack(routine: Routine, arguments: Sequence[str], does: str, *, own: bool = False) -> Attack:
    call = f"{routine.sql}({', '.join(arguments)})"
    sql = f"call {call}" if routine.id.kind == "procedure" else f"select x::text from {call} as x"
    return Attack(routine.id, "EXECUTE", does, sql, "ATK007", own=own, compared=True, oracle="ATK020")


def choice(scene: Scene, routine: Routine, argument: Argument, whose: Whose, identity: Identity) -> str:
    """An SQL constant for an argument: what that tenant has in the column that it means."""
    found = None
    if whose == "B" and _SECRET.search(argument.name):
        whose = "A"
    if argument.type.endswith("[]"):
        inner = Argument(argument.name.removesuffix("s"), argument.type[:-2])
        return f"array[{choice(scene, routine, inner, whose, identity)}]::{argument.type}"
    name = _PREFIX.sub("", argument.name.lower())
    for relation, column in _meant(scene, routine, name, argument.type):
        rows = scene.rows(relation, whose) or scene.rows(relation, "")
        values = [row.values.get(column) for row in rows]
        found = next((value for value in values if value is not None), None)
        if found is not None:
            break
    if found is None:
        found = _by_type(scene, name, argument.type, whose, identity)
    if found is not None:
        return f"{literal(found)}::{argument.type}"
    plain = _PLAIN.get(argument.type.split("(")[0])
    return f"{plain}::{argument.type}" if plain else f"null::{argument.type}"


def _meant(scene: Scene, routine: Routine, name: str, type_: str) -> Iterator[tuple[Relation, str]]:
    """The columns that an argument of this name may mean, those of tables that the body names first."""
    tables = [r for r in scene.catalogue.relations.values() if r.kind in ("r", "p")]
    tables.sort(key=lambda r: not re.search(rf"\b{re.escape(r.name)}\b", routine.body))
    for relation in tables:
        for column in relation.columns:
            if column.name.lower() == name and _alike(column.type, type_):
                yield relation, column.name
    stem = re.sub(r"_?(?:id|uuid|key)$", "", name)
    for relation in tables:
        singular = {relation.name, relation.name.removesuffix("s"), relation.name.removesuffix("es"),
                    re.sub(r"ies$", "y", relation.name)}  # fmt: skip
        key = relation.primary[-1] if relation.primary else ""
        found = relation.column(key) if key else None
        if found is not None and _alike(found.type, type_) and stem in singular:
            yield relation, key
    if stem in ("", "target", "row", "record", "entity", "object", "parent", "item"):
        for relation in tables:
            key = relation.primary[-1] if relation.primary else ""
            found = relation.column(key) if key else None
            if (
                found is not None
                and _alike(found.type, type_)
                and re.search(rf"\b{relation.name}\b", routine.body)
            ):
                yield relation, key


def _by_type(scene: Scene, name: str, type_: str, whose: Whose, identity: Identity) -> str | None:
    """The tenant's or a user's key, where the type fits."""
    if whose == "":
        return None
    key = scene.world.keys[whose]
    people = scene.people(identity) if whose == "A" else list(scene.world.users["B"])
    numeric = type_ in ("integer", "bigint", "smallint", "numeric")
    if re.search(r"user|uid|member|owner|actor|profile|author", name) and people:
        return people[0] if not numeric or people[0].isdecimal() else None
    if type_ == "uuid":
        return next((k for k in (key, *people) if len(k) == 36), None)
    if numeric or type_ in ("text", "character varying"):
        fits = re.search(r"org|tenant|team|account|company|workspace|customer", name)
        return key if fits and (not numeric or key.isdecimal()) else None
    return None


def _alike(first: str, second: str) -> bool:
    texts = ("text", "character varying", "citext", "character")
    numbers = ("integer", "bigint", "smallint", "numeric")
    a, b = first.split("(")[0], second.split("(")[0]
    return a == b or (a in texts and b in texts) or (a in numbers and b in numbers)
