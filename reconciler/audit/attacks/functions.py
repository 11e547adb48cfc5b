"""Every function and procedure that the identity may call: with A's keys, then with B's, all of them or one among A's.

An argument is matched to a column by its name, else by its type. Secrets stay A's own: who holds B's secret may act for B. What the
service role may be made to do is not tried here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from reconciler.audit.arguments import (
    CONFIDENTIAL,
    PLAIN,
    TEXTS,
    bare,
    candidates,
    compared_with,
    named_in,
    tables_of,
)
from reconciler.audit.arguments import alike as alike_types
from reconciler.audit.attacks import documents
from reconciler.audit.attacks.arena import taken_away
from reconciler.audit.attacks.values import Attack, Attacks, Outcome, alike
from reconciler.audit.scene import Kept, Scene, Whose, value
from reconciler.audit.surface import Argument, Routine
from reconciler.pg import ident, literal
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.values import Identity, Side

_FIGURES = frozenset(
    {"numeric", "integer", "bigint", "smallint", "real", "double precision", "money", "date", "interval",
     "timestamp with time zone", "timestamp without time zone"}
)  # fmt: skip
_DYNAMIC = re.compile(r"\bexecute\b.*(%I|quote_ident)", re.IGNORECASE | re.DOTALL)
_SIDES: tuple[Whose, Whose] = ("A", "B")
_MOST = 6
_READINGS = 4
Pair = tuple[str, str]
"""A constant of A's, and the same of B's."""
_STRANGERS = {
    "uuid": "00000000-0000-4000-8000-00000dead000", "integer": "987654321", "bigint": "987654321", "numeric": "987654321",
    "smallint": "31999", "json": "{}", "jsonb": "{}", "text": "nobody-9d1f", "character varying": "nobody-9d1f", "citext": "nobody-9d1f",
}  # fmt: skip
"""Keys that no row has."""
_CONCRETE = {"anyelement": "text", "anynonarray": "text", "anycompatible": "text", "anycompatiblenonarray": "text", "anyarray": "text[]",
             "anycompatiblearray": "text[]"}  # fmt: skip
"""What a call gives where a function takes anything."""


_FETCHING = """create function pg_temp.reconciler_fetched(c refcursor) returns setof text language plpgsql as $fetched$
declare r record;
begin
  loop
    fetch c into r;
    exit when not found;
    return next r::text;
  end loop;
end
$fetched$"""
"""Of a cursor counts what it shows, not what it is called."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the arguments may mean together. `mine` and `theirs` take the row away from which they come, of A and of B: a function
    that inserts can then put it back."""

    pairs: list[Pair]
    mine: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()


def attacks(scene: Scene, routine: Routine, identity: Identity) -> Attacks:
    working: list[Reading] = []
    beside: list[Reading] = []
    left_out = list(_left_out(scene, routine, identity))
    readings = [*_readings(scene, routine, identity), *left_out]
    sure = 1
    for reading in readings:
        worked = yield _attack(routine, [a for a, _ in reading.pairs], "calls it with keys of A", own=True)
        if worked.code == "23505" and reading.mine:
            worked = yield _attack(
                routine, [a for a, _ in reading.pairs], "calls it with keys of A", reading.mine, own=True
            )
        elif reading.mine:
            reading = Reading(reading.pairs)
        if worked.denied:
            return
        if worked.answered:
            nobody = yield from _nobody(routine, reading, worked)
            if nobody is None or not alike(worked, nobody):
                # keys of A's that are small numbers mean rows of several tables; B's do not
                mine = [a for a, _ in reading.pairs]
                working = [
                    reading,
                    *(r for r in readings if r.pairs != reading.pairs and [a for a, _ in r.pairs] == mine),
                ]
                sure = len(working)
                # what is left out may be just what is checked
                beside = [r for r in left_out if r not in working]
                break
        working.append(reading)
    for number, reading in enumerate([*working, *beside]):
        most = _MOST if number == 0 and len(working) == sure else 1
        for arguments, which in islice(_mixed(routine, reading.pairs), most):
            does = f"calls it with {which} of tenant B"
            done = yield _attack(routine, arguments, does, reading.theirs)
            if done.leaked:
                return


def _nobody(
    routine: Routine, reading: Reading, worked: Outcome
) -> Generator[Attack, Outcome, Outcome | None]:
    """The same call with keys that nobody has: what answers that alike takes no notice of the key, or wants another one. None where
    there is no such key to give, or where the call wrote something."""
    places = [i for i, (a, b) in enumerate(reading.pairs) if a != b]
    if worked.moved or not places:
        return None
    arguments = [a for a, _ in reading.pairs]
    for place in places:
        type_ = _CONCRETE.get(routine.arguments[place].type, routine.arguments[place].type)
        base = _CONCRETE.get(routine.arguments[place].base, routine.arguments[place].base)
        stranger = _STRANGERS.get(base.split("(")[0])
        if stranger is None:
            return None
        arguments[place] = f"{literal(stranger)}::{type_}"
    return (yield _attack(routine, arguments, "calls it with keys of nobody", own=True, nobody=True))


def _readings(scene: Scene, routine: Routine, identity: Identity) -> Iterator[Reading]:
    """First what one row of a table says about several arguments, then the best guess for each, then the next ones."""
    meanings = [_meanings(scene, routine, argument, identity) for argument in routine.arguments]
    yield from _joint(scene, routine, identity, [meaning[0] for meaning in meanings])
    for place in range(max((len(meaning) for meaning in meanings), default=1)):
        yield Reading([meaning[min(place, len(meaning) - 1)] for meaning in meanings])


def _left_out(scene: Scene, routine: Routine, identity: Identity) -> Iterator[Reading]:
    """The best guess without the arguments that have a default, with NULL where the body asks whether there is one, and with what any text begins
    with where somebody may look for a text."""
    best = [_meanings(scene, routine, argument, identity)[0] for argument in routine.arguments]
    if routine.defaults:
        yield Reading(best[: len(best) - routine.defaults])
    for place, argument in enumerate(routine.arguments):
        name = rf"(?<![\w.])(?:\w+\.)?{re.escape(argument.name)}" if argument.name else "(?!)"
        if len(best) > 1 and re.search(
            rf"{name}\s+is\s+null\b|\bcoalesce\(\s*{name}\b", routine.body, re.IGNORECASE
        ):
            nothing = f"null::{argument.type}"
            yield Reading([(nothing, nothing) if at == place else pair for at, pair in enumerate(best)])
        sought = (
            argument.base in TEXTS
            and next(_meant(scene, routine, argument.name, argument.base), None) is None
        )
        for text in ("''", "'%'") if sought else ():
            given = f"{text}::{argument.type}"
            yield Reading([(given, given) if at == place else pair for at, pair in enumerate(best)])


def _joint(scene: Scene, routine: Routine, identity: Identity, guesses: list[Pair]) -> Iterator[Reading]:
    for relation in scene.catalogue.relations.values():
        if relation.kind not in ("r", "p") or not named_in(routine.body, relation):
            continue
        columns: dict[int, str] = {}
        for place, argument in enumerate(routine.arguments):
            name = bare(argument.name)
            compared = sorted(compared_with(routine.body, argument.name))
            for known in (name, f"{name}_id", name.removesuffix("_id"), *compared):
                column = relation.column(known)
                if (
                    column is not None
                    and alike_types(column.type, argument.type)
                    and not CONFIDENTIAL.search(f"{name} {known}")
                ):
                    columns.setdefault(place, known)
        rows = [_rows(scene, relation, whose, identity) for whose in ("A", "B")]
        if len(columns) < 2 or not rows[0] or not rows[1]:
            continue
        pairs = list(guesses)
        for place, known in columns.items():
            type_ = routine.arguments[place].type
            values = [found[0].values.get(known) for found in rows]
            texts = ["null" if value is None else f"{literal(value)}::{type_}" for value in values]
            pairs[place] = (texts[0], texts[1])
        away = [(taken_away(relation, found[:1]),) for found in rows]
        yield Reading(pairs, away[0], away[1])


def _rows(scene: Scene, relation: Relation, whose: Whose, identity: Identity) -> list[Kept]:
    """The rows of that tenant, for A the caller's own first; of a table that belongs to nobody, those."""
    rows = scene.rows(relation, whose) or scene.rows(relation, "")
    if whose == "A":
        people = set(scene.people(identity))
        rows = sorted(rows, key=lambda row: not people & set(row.values.values()))
    return rows


def _mixed(routine: Routine, pairs: Sequence[Pair]) -> Iterator[tuple[list[str], str]]:
    """Which calls are made: all B's, then each argument alone B's, then each alone A's."""
    mine, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    places = [i for i, (a, b) in enumerate(pairs) if a != b]
    names = [argument.name or f"argument {i}" for i, argument in enumerate(routine.arguments, 1)]
    if not places:
        yield mine, "nothing"
        return
    yield theirs, ", ".join(names[i] for i in places)
    if len(places) > 1:
        for place in places:
            yield [theirs[i] if i == place else a for i, a in enumerate(mine)], names[place]
        for place in places:
            others = ", ".join(names[i] for i in places if i != place)
            yield [mine[i] if i == place else b for i, b in enumerate(theirs)], others


def _attack(
    routine: Routine,
    arguments: Sequence[str],
    does: str,
    setup: tuple[str, ...] = (),
    *,
    own: bool = False,
    nobody: bool = False,
) -> Attack:
    given = list(arguments)
    if routine.variadic and len(given) == len(routine.arguments):
        given[-1] = f"variadic {given[-1]}"
    for place in routine.outs:
        given.insert(place - 1, "null")
    call = f"{routine.sql}({', '.join(given)})"
    sql = f"call {call}" if routine.id.kind == "procedure" else f"select x::text from {call} as x"
    if routine.returns == "refcursor":
        setup = (_FETCHING, *setup)
        sql = f"select x.line from {call} as c, pg_temp.reconciler_fetched(c) as x (line)"
    figure = routine.rows or routine.returns.split("(")[0] in _FIGURES
    return Attack(
        routine.id, "EXECUTE", does, sql, "ATK007", setup,
        own=own, compared=not nobody, oracle="" if nobody else "ATK020", tells=figure and not own and bool(arguments),
        nobody=nobody, asks=not own and bool(arguments),
    )  # fmt: skip


def _meanings(scene: Scene, routine: Routine, argument: Argument, identity: Identity) -> list[Pair]:
    """What an argument may mean, as constants of A's and of B's, the best guess first."""
    type_ = _CONCRETE.get(argument.type, argument.type)
    base = _CONCRETE.get(argument.base, argument.base)
    if type_.endswith("[]"):
        inner = type_.removesuffix("[]")
        found = _meanings(scene, routine, Argument(argument.name, inner, inner), identity)
        return [(f"array[{a}]::{type_}", f"array[{b}]::{type_}") for a, b in found]
    if base in ("json", "jsonb"):
        return _documents(scene, routine, argument.name, type_, identity)
    whole = next(
        (r for r in scene.catalogue.relations.values() if ident(r.id.schema, r.id.name) == type_), None
    )
    if whole is not None:
        return _whole_rows(scene, whole, type_, identity)
    texts = _texts(scene, routine, Argument(argument.name, type_, base), identity)
    usual = PLAIN.get(base.split("(")[0])
    plain = "null" if usual is None else literal(usual)
    return [
        (f"{literal(a or '')}::{type_}", f"{literal(b if b is not None else a or '')}::{type_}")
        for a, b in texts[:_READINGS]
    ] or [(f"{plain}::{type_}", f"{plain}::{type_}")]


def _whole_rows(scene: Scene, relation: Relation, type_: str, identity: Identity) -> list[Pair]:
    """A row of the table: one of A's, and the same with the keys of one of B's."""
    mine, theirs = (next(iter(_rows(scene, relation, whose, identity)), None) for whose in _SIDES)
    if mine is None or theirs is None:
        return [(f"null::{type_}", f"null::{type_}")]
    keys = {*relation.primary, *(name for key in relation.keys for name in key.columns)}
    other = {**mine.values, **{name: theirs.values.get(name) for name in keys}}
    said = [
        f"row({', '.join(value(relation, c.name, of) for c in relation.columns)})::{type_}"
        for of in (mine.values, other)
    ]
    return [(said[0], said[1])]


def _texts(
    scene: Scene, routine: Routine, argument: Argument, identity: Identity
) -> list[tuple[str | None, str | None]]:
    """The same as texts, without an array's or a document's shell."""
    type_ = argument.base
    name = bare(argument.name)
    texts: list[tuple[str | None, str | None]] = []
    meant = {
        (r.oid, c): (r, c)
        for one in dict.fromkeys((argument.type, type_))
        for r, c in _meant(scene, routine, argument.name, one)
    }
    for relation, column in islice(meant.values(), _MOST):
        pair = _value(scene, relation, column, "A", identity), _value(scene, relation, column, "B", identity)
        if pair[0] is not None and pair not in texts:
            texts.append(pair)
    guess = _by_type(scene, name, type_, "A", identity), _by_type(scene, name, type_, "B", identity)
    if guess[0] is not None and guess not in texts:
        texts.append(guess)
    if not texts and type_.split("(")[0] in TEXTS:
        if _DYNAMIC.search(routine.body):
            texts = list(islice(_nameable(scene, routine), _READINGS))
        texts += [*_spoken(scene, routine, identity), ("", ""), ("%", "%")]
    held = next(iter(meant.values()), None)
    if CONFIDENTIAL.search(argument.name) or (held is not None and CONFIDENTIAL.search(held[1])):
        texts = [(a, a) for a, _ in texts]
    return texts


def _documents(scene: Scene, routine: Routine, called: str, type_: str, identity: Identity) -> list[Pair]:
    """Documents with what the body asks for in its place: each with what it may mean, the best guesses together first."""
    meanings: dict[documents.Path, list[tuple[str | None, str | None]]] = {}
    for path, said in documents.paths(routine.body).items():
        found = _held(scene, routine, path[-1], said, identity)
        if found:
            meanings[path] = found
    docs: list[tuple[object, object]] = []
    if documents.listed(routine.body):
        docs += _held(scene, routine, called, "", identity)
    for number in range(max((len(found) for found in meanings.values()), default=0)):
        chosen = {path: found[min(number, len(found) - 1)] for path, found in meanings.items()}
        mine = {path: a for path, (a, _) in chosen.items()}
        theirs = {path: b if b is not None else a for path, (a, b) in chosen.items()}
        docs.append((documents.nested(mine), documents.nested(theirs)))
    pairs = [
        (f"{literal(json.dumps(a))}::{type_}", f"{literal(json.dumps(b))}::{type_}")
        for mine, theirs in docs
        for a, b in zip(
            documents.shapes(routine.body, mine), documents.shapes(routine.body, theirs), strict=True
        )
    ]
    return pairs or [("'{}'::" + type_, "'{}'::" + type_)]


def _held(
    scene: Scene, routine: Routine, key: str, said: str, identity: Identity
) -> list[tuple[str | None, str | None]]:
    """What may stand under a key of a document; `said` is the type that the body gives it."""
    for inner in (said, "text") if said else ("uuid", "bigint", "text"):
        named = next(_meant(scene, routine, key, inner), None) is not None
        found = [pair for pair in _texts(scene, routine, Argument(key, inner, inner), identity) if any(pair)]
        if found and (named or inner == "text"):
            return found[:_READINGS]
    return []


def _nameable(scene: Scene, routine: Routine) -> Iterator[tuple[str, str]]:
    """Names of tables with rows of both, those in a schema that the body names first: a statement made at run time may take one."""
    tables = [r for r in scene.catalogue.relations.values() if scene.rows(r, "A") and scene.rows(r, "B")]
    for relation in sorted(tables, key=lambda r: not re.search(rf"\b{re.escape(r.schema)}\.", routine.body)):
        yield relation.name, relation.name


def _spoken(scene: Scene, routine: Routine, identity: Identity) -> Iterator[tuple[str, str]]:
    """What stands in the text columns of a table that the body names: somebody may look for it."""
    for relation in scene.catalogue.relations.values():
        if relation.kind not in ("r", "p") or not named_in(routine.body, relation):
            continue
        for column in relation.columns:
            if column.type.split("(")[0] in TEXTS:
                mine = _value(scene, relation, column.name, "A", identity)
                theirs = _value(scene, relation, column.name, "B", identity)
                if mine and theirs and mine != theirs:
                    yield mine, theirs
                    break


def _value(scene: Scene, relation: Relation, column: str, whose: Whose, identity: Identity) -> str | None:
    """What a row of that tenant has there."""
    rows = _rows(scene, relation, whose, identity)
    return next((row.values[column] for row in rows if row.values.get(column) is not None), None)


def _meant(scene: Scene, routine: Routine, called: str, type_: str) -> Iterator[tuple[Relation, str]]:
    """The columns that an argument which is `called` so may mean, and at last the keys of tables that the body names: one more try costs a call,
    and shows by itself whether it meant anything."""
    yield from candidates(scene.catalogue, routine.body, called, type_)
    for relation in tables_of(scene.catalogue, routine.body):
        key = relation.primary[-1] if relation.primary else ""
        found = relation.column(key) if key else None
        if found is not None and alike_types(found.type, type_) and named_in(routine.body, relation):
            yield relation, key


def _by_type(scene: Scene, name: str, type_: str, whose: Side, identity: Identity) -> str | None:
    """The tenant's or a user's key, where the type fits."""
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
