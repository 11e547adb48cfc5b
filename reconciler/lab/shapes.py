"""Races for rules that are about several rows together, of which the text of the triggers speaks: the last one of a kind, a limit, a place that is
left empty, a tree. The rows of a world seldom stand where such a rule decides; they are brought there.

Knows words, numbers and columns in the text. Whether anybody can run what is made is found out afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.drafts import parents
from reconciler.lab.favour import WORD, beside, favour, is_number
from reconciler.lab.material import TEXTS, Material, Values, acting, labels, stands
from reconciler.lab.values import Draft
from reconciler.shadow.tenants.catalogue import Column, Relation
from reconciler.shadow.tenants.tokens import mentions

Connection = psycopg.Connection[TupleRow]
_FEW = 3
_UP_TO = 16
"""How far a limit is looked for."""
_EMPTY = re.compile(r"\bnew\.(\w+)\s+is\s+null\b", re.IGNORECASE)
_COMPARED = re.compile(r"[<>]=?\s*(\d{2,9})\b")
"""A number that something must not go beyond."""
_BOUNDED = re.compile(r"[^-<>]>|<[^<>]")
_COUNTING = re.compile(r"\b(not\s+exists|exists|count|sum|max|min)\b", re.IGNORECASE)


def shaped(connection: Connection, material: Material, relation: Relation, said: str) -> Iterator[Draft]:
    """Every such race of one table. `said` is the text of the functions of its triggers."""
    rows = material.rows(relation)
    if len(rows) < 2:
        return
    last, other = rows[-1], rows[-2]
    if _COUNTING.search(said):
        yield from _last_of_a_kind(connection, material, relation, last, other, said)
        yield from _alike_gone(material, relation, last, other)
    if _COUNTING.search(said) or _BOUNDED.search(said):
        yield from _limits(connection, material, relation, last, other, said)
    yield from _in_balance(connection, material, relation, last, other, said)
    yield from _left_empty(material, relation, last, other, said)
    yield from _moved_below(material, relation, last, other)


def _last_of_a_kind(
    connection: Connection, material: Material, relation: Relation, last: Values, other: Values, said: str
) -> Iterator[Draft]:
    """Two rows that hold a word of which the triggers speak (an owner, a manager), and no further ones: both lose it, or go."""
    rest = [row for row in material.rows(relation) if row is not last and row is not other]
    words = tuple(dict.fromkeys(WORD.findall(said)))
    for column in islice(_spoken(material, relation, said), _FEW):
        states = _states(connection, column, words)
        for word in [state for state in states if state == "true" or state in words][:_FEW]:
            turns = [state for state in states if state != word]
            if not turns:
                continue
            off = {column.name: turns[-1]}
            given = (
                *(material.update(relation, row, [column.name], off) for row in rest),
                *(
                    material.update(relation, row, [column.name], {column.name: word})
                    for row in (last, other)
                ),
            )
            for turn in reversed(turns[-_FEW:]):
                both = tuple(
                    (material.update(relation, row, [column.name], {column.name: turn}),)
                    for row in (last, other)
                )
                if acting(connection, material, relation, both, given).actors:
                    name = f"two-updates-of-{column.name}-from-{word}"
                    yield Draft(name, both, given, frozenset({"update"}), optional=True)
                    break
            name = f"two-deletes-of-{column.name}-{word}"
            bare = (sql for row in (last, other) for sql in material.away(relation, row, itself=False))
            gone = tuple((material.delete(relation, row),) for row in (last, other))
            yield Draft(name, gone, (*bare, *given), frozenset({"delete"}), optional=True)


def _alike_gone(material: Material, relation: Relation, last: Values, other: Values) -> Iterator[Draft]:
    """Two rows that differ in nothing but what they point to, or in one column of their key (two on one shift), and both go."""
    natural = material.natural(relation)
    own = [name for name in (*natural, *material.plain(relation)) if last.get(name) != other.get(name)]
    for apart in ("", *natural):
        names = [name for name in dict.fromkeys(own) if name != apart]
        twin = {**other, **{name: last[name] for name in names}}
        if not names or _meets(material, relation, last, twin):
            continue
        bare = (sql for row in (last, other) for sql in material.away(relation, row, itself=False))
        given = (*bare, material.update(relation, other, names, last))
        gone = ((material.delete(relation, last),), (material.delete(relation, twin),))
        name = f"two-deletes-of-rows-alike{f'-but-for-{apart}' if apart else ''}"
        yield Draft(name, gone, given, frozenset({"delete"}), optional=True)


def _limits(
    connection: Connection, material: Material, relation: Relation, last: Values, other: Values, said: str
) -> Iterator[Draft]:
    """Two inserts of which only one is within a limit: a number in the text, or one that a row beside holds (seats, stock)."""
    away = (*material.away(relation, last), *material.away(relation, other))
    insert = material.insert(relation, last)
    if not acting(connection, material, relation, ((insert,),), away).actors:
        away = (*away, *favour(connection, material, relation, insert, away, said))
    seconds = _seconds(material, relation, last, other)[:1]
    for column in islice(_numeric(material, relation, last), _FEW):
        for limit in list(dict.fromkeys(_COMPARED.findall(said)))[:_FEW]:
            much = {column.name: str(int(limit) * 3 // 5)}
            first = material.insert(relation, {**last, **much})
            for row in seconds:
                second = material.insert(relation, {**row, **much})
                name = f"two-inserts-of-{column.name}-{much[column.name]}"
                yield Draft(name, ((first,), (second,)), away, frozenset({"insert"}), optional=True)
    for target, held in beside(material, relation, said):
        for column in islice(_numeric(material, target, held[0] if held else {}), _FEW):
            at = _boundary(connection, material, relation, target, held, column, insert, away)
            for row in seconds if at else ():
                second = material.insert(relation, row)
                name = f"two-inserts-at-the-limit-of-{column.name}-of-{target.name}"
                yield Draft(name, ((insert,), (second,)), (*away, *at), frozenset({"insert"}), optional=True)


def _boundary(
    connection: Connection,
    material: Material,
    relation: Relation,
    target: Relation,
    held: Sequence[Values],
    column: Column,
    insert: str,
    away: Sequence[str],
) -> tuple[str, ...]:
    """The statements after which the insert goes in, and would not with one less; none where the number decides nothing."""
    refused = False
    for number in range(_UP_TO):
        at = tuple(material.update(target, row, [column.name], {column.name: str(number)}) for row in held)
        if not stands(connection, (*away, *at)):
            continue  # a number that the table itself does not take decides nothing
        if acting(connection, material, relation, ((insert,),), (*away, *at)).actors:
            return at if refused else ()
        refused = True
    return ()


def _in_balance(
    connection: Connection, material: Material, relation: Relation, last: Values, other: Values, said: str
) -> Iterator[Draft]:
    """Where one row alone is refused, two that come to nothing together (debit and credit), under two parents at once: what they count into is the same."""
    away = (*material.away(relation, last), *material.away(relation, other))
    insert = material.insert(relation, last)
    if parents(relation, last) == parents(relation, other):
        return
    if acting(connection, material, relation, ((insert,),), away).actors:
        return
    natural = material.natural(relation)
    for column in islice(_numeric(material, relation, last), _FEW):
        pair = []
        for above in (last, other):
            wide = {
                name
                for key in relation.keys
                if not _shared(relation, key.columns, last, other)
                for name in key.columns
            }
            one = {**last, **{name: above[name] for name in wide & set(relation.primary)}}
            held = {name: one[name] for name in relation.primary if name not in natural}
            twin = {
                **other,
                **_elsewhere(material, relation, one),
                **held,
                column.name: f"-{last[column.name]}",
            }
            first, second = material.insert(relation, one), material.insert(relation, twin)
            pair.append(f"{first},{second.partition(' values ')[2]}")
        both = (pair[0],), (pair[1],)
        given = away
        if not acting(connection, material, relation, both, given).actors:
            given = (*away, *favour(connection, material, relation, pair[0], away, said))
        if acting(connection, material, relation, both, given).actors:
            yield Draft("two-inserts-in-balance", both, given, frozenset({"insert"}), optional=True)
            return


def _elsewhere(material: Material, relation: Relation, row: Values) -> dict[str, str | None]:
    """The row pointing to others than it does, by the keys that are not in its own."""
    found: dict[str, str | None] = {}
    for key in relation.keys:
        target = material.catalogue.relations.get(key.target)
        if target is None or set(key.columns) <= set(relation.primary):
            continue
        there = [
            dict(zip(key.columns, (one.get(their) for their in key.theirs), strict=True))
            for one in material.rows(target)
        ]
        found |= next((one for one in there if any(row.get(name) != one[name] for name in one)), {})
    return found


def _shared(relation: Relation, columns: Sequence[str], one: Values, other: Values) -> bool:
    return all(one.get(name) == other.get(name) for name in columns)


def _left_empty(
    material: Material, relation: Relation, last: Values, other: Values, said: str
) -> Iterator[Draft]:
    """Two inserts that leave empty what the triggers then fill in: a number, a position."""
    away = (*material.away(relation, last), *material.away(relation, other))
    for name in list(dict.fromkeys(_EMPTY.findall(said)))[:_FEW]:
        if name not in last:
            continue
        nothing: Mapping[str, str | None] = {name: None}
        pair = [{**row, **nothing} for row in (last, *_seconds(material, relation, last, other)[:1])]
        scripts = tuple((material.insert(relation, row),) for row in pair)
        if len(scripts) == 2:
            yield Draft(f"two-inserts-without-{name}", scripts, away, frozenset({"insert"}), optional=True)


def _moved_below(material: Material, relation: Relation, last: Values, other: Values) -> Iterator[Draft]:
    """Of a tree, two rows that are each put below the other."""
    for key in relation.keys:
        own = [
            (name, their)
            for name, their in zip(key.columns, key.theirs, strict=True)
            if name != their and last.get(their) != other.get(their)
        ]
        if key.target != relation.oid or not own:
            continue
        names = [name for name, _ in own]
        apart = dict.fromkeys(names)
        given = tuple(material.update(relation, row, names, apart) for row in material.rows(relation))
        scripts = tuple(
            (material.update(relation, row, names, {name: above[their] for name, their in own}),)
            for row, above in ((last, other), (other, last))
        )
        yield Draft("two-moves-below-each-other", scripts, given, frozenset({"update"}), optional=True)


def _seconds(material: Material, relation: Relation, last: Values, other: Values) -> list[Values]:
    """Rows that may stand beside `last`, those first that point to most of what it points to."""
    natural = material.natural(relation)
    pointing = {name for key in relation.keys for name in key.columns}
    found: list[Values] = [{**last, **{name: other[name] for name in natural}}]
    for key in relation.keys:
        found.append({**other, **{name: last[name] for name in key.columns if name in last}})
    found.append(other)
    free = [row for row in found if not _meets(material, relation, last, row)]
    return sorted(free, key=lambda row: -sum(row.get(name) == last.get(name) for name in pointing))


def _meets(material: Material, relation: Relation, one: Values, other: Values) -> bool:
    """Whether some unique key that no default makes is the same in both."""
    made = material.made.get(relation.oid, frozenset())
    keys = [key for key in {*relation.unique, relation.primary} if key and not made & set(key)]
    return any(
        all(one.get(name) is not None and one.get(name) == other.get(name) for name in key) for key in keys
    )


def _spoken(material: Material, relation: Relation, said: str) -> Iterator[Column]:
    """The columns of which the text speaks and that hold a state."""
    for name in material.plain(relation):
        column = relation.column(name)
        if column is not None and not column.generated and mentions(said, name):
            yield column


def _states(connection: Connection, column: Column, words: Sequence[str]) -> list[str]:
    if column.type == "boolean":
        return ["true", "false"]
    return labels(connection, column.type) or (list(words) if column.type.startswith(TEXTS) else [])


def _numeric(material: Material, relation: Relation, row: Values) -> Iterator[Column]:
    for name in material.plain(relation):
        column = relation.column(name)
        if column is not None and not column.generated and is_number(column, row):
            yield column
