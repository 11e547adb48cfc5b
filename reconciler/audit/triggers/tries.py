"""Statements that fire a trigger with rows that are known to be allowed: a row taken away and put back, updated, deleted.

And the same with something in it that names the other tenant. Promises statements for the table itself; knows the rows of the world and what
the texts of the trigger functions look at. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from reconciler.audit.triggers.located import childless, removal, where
from reconciler.audit.triggers.payloads import looked_at, owners_of, payloads, values_for
from reconciler.audit.triggers.stage import Place, Stage, fire, places
from reconciler.audit.triggers.wiring import Trigger
from reconciler.model import ObjectId
from reconciler.pg import ident, literal
from reconciler.shadow.tenants.values import Identity, Row

_MOST = 14


@dataclass(frozen=True, slots=True)
class Try:
    """`says` goes on after the identity's name. `setup` is the harness's. `changes` are the values that differ from the row's; `payload` is the column
    that names B, and `tenant` says that it was set to B's own key."""

    event: str
    sql: str
    says: str
    setup: tuple[str, ...] = ()
    changes: Mapping[str, str | None] = field(default_factory=dict)
    payload: str = ""
    tenant: bool = False


def rows_of(stage: Stage, table: ObjectId, identity: Identity) -> tuple[Row, ...]:
    """A's rows of a table, first those that are the identity's own user's; of a view, what the identity sees there."""
    if table.kind == "view":
        return _seen_in(stage, table, identity)
    users = [
        user for user in stage.world.users["A"] if any(user in value for value in identity.settings.values())
    ]
    rows = stage.world.rows["A"].get(table, ())
    return tuple(sorted(rows, key=lambda row: not any(user in row.values.values() for user in users)))


def _seen_in(stage: Stage, view: ObjectId, identity: Identity) -> tuple[Row, ...]:
    names = [column.name for column in stage.relation(view).columns]
    texts = ", ".join(f"{ident(name)}::text" for name in names)
    answer = fire(stage, identity, f"select {texts} from {ident(view.schema, view.name)} limit 4")
    return tuple(
        Row({name: None if value is None else str(value) for name, value in zip(names, row, strict=True)})
        for row in answer.rows
    )


def plain(stage: Stage, identity: Identity, table: ObjectId, event: str, row: Row) -> Iterator[Try]:
    """The event upon one row as it is; for a delete also without the rows that point to it."""
    known = places(stage, identity.role, table)
    name = ident(table.schema, table.name)
    if event == "insert":
        yield Try(
            event,
            _insert(name, known, row, {}),
            f"inserts a row of its own into {table}",
            (removal(stage, table, row),),
        )
    elif event == "update":
        may = [place for place in known if not place.generated and place.identity != "a"]
        columns = [place.name for place in may if place.update] or [place.name for place in may[:1]]
        sets = ", ".join(f"{ident(column)} = {ident(column)}" for column in columns)
        sql = f"update {name} set {sets} where {where(stage, table, row)}"
        yield Try(event, sql, f"updates a row of its own in {table}")
    elif event == "delete":
        sql = f"delete from {name} where {where(stage, table, row)}"
        yield Try(event, sql, f"deletes a row of its own from {table}")
        yield Try(event, sql, f"deletes a row of its own from {table}", childless(stage, table, row))
    elif event == "truncate":
        yield Try(event, f"truncate {name} cascade", f"truncates {table}")


def changed(
    stage: Stage, identity: Identity, table: ObjectId, event: str, row: Row, triggers: Sequence[Trigger]
) -> Iterator[Try]:
    """The event with other values in the columns that the triggers look at: those of A's other rows, those that their texts speak of."""
    known = places(stage, identity.role, table)
    others = [other for other in stage.world.rows["A"].get(table, ()) if other is not row]
    fixed = {*stage.relation(table).primary, *owners_of(stage, table)}
    found = []
    for place in looked_at(known, triggers):
        if place.name in fixed or place.generated or place.identity == "a" or place.name not in row.values:
            continue
        for value in dict.fromkeys(values_for(place, row, others, triggers)):
            if value != row.values[place.name]:
                found.append((place, value))
    for place, value in islice(found, _MOST):
        yield from _made(stage, table, event, row, known, {place.name: value}, "")


def to_fill(
    stage: Stage, identity: Identity, table: ObjectId, triggers: Sequence[Trigger]
) -> Mapping[str, str | None]:
    """Nothing in the columns that the triggers set: many fill only what the client left empty, and may look for it anywhere."""
    fixed = {*stage.relation(table).primary, *owners_of(stage, table)}
    known = {p.name for p in places(stage, identity.role, table) if not p.generated and p.identity != "a"}
    names = (name for trigger in triggers for name in trigger.function.text.assigned)
    return {name: None for name in names if name in known - fixed}


def with_values(
    stage: Stage, identity: Identity, table: ObjectId, event: str, row: Row, values: Mapping[str, str | None]
) -> Iterator[Try]:
    """The event with exactly these values."""
    yield from _made(stage, table, event, row, places(stage, identity.role, table), values, "")


def naming(
    stage: Stage,
    identity: Identity,
    table: ObjectId,
    event: str,
    row: Row,
    triggers: Sequence[Trigger],
    base: Mapping[str, str | None],
) -> Iterator[Try]:
    """The event with B's keys in columns that the triggers look at and that do not say whose the row is. `base` are values with which they wrote."""
    known = places(stage, identity.role, table)
    found = payloads(stage, identity.role, table, row, triggers)
    for one in islice(found, 3 * _MOST):
        named = dict(zip(one.columns, one.values, strict=True))
        for made in _made(stage, table, event, row, known, {**base, **named}, f" ({one.columns[0]} is B's)"):
            yield replace(made, setup=(*one.setup, *made.setup), payload=one.columns[0], tenant=one.tenant)


def _made(
    stage: Stage,
    table: ObjectId,
    event: str,
    row: Row,
    known: Sequence[Place],
    changes: Mapping[str, str | None],
    whose: str,
) -> Iterator[Try]:
    """The event upon the row with these values, where the identity may write them. A delete has them written first."""
    name, here = ident(table.schema, table.name), where(stage, table, row)
    by_name = {place.name: place for place in known}
    values = ", ".join(f"{c} = {'null' if v is None else literal(v)}" for c, v in changes.items())
    sets = ", ".join(f"{ident(c)} = {_typed(v, by_name[c])}" for c, v in changes.items())
    update, insert = f"update {name} set {sets} where {here}", _insert(name, known, row, changes)
    may_update = all(by_name[column].update for column in changes)
    may_insert = all(by_name[column].insert for column in changes)
    gone = (removal(stage, table, row),)
    if event == "update" and may_update:
        yield Try(event, update, f"updates a row of its own in {table} with {values}{whose}", (), changes)
    elif event == "insert" and may_insert:
        yield Try(event, insert, f"inserts a row of its own into {table} with {values}{whose}", gone, changes)
    elif event == "delete" and (may_update or may_insert):
        says = f"deletes a row of its own from {table} that it had given {values}{whose}"
        first, setup = (update, ()) if may_update else (insert, gone)
        yield Try(event, f"{first};\ndelete from {name} where {here}", says, setup, changes)


def _typed(value: str | None, place: Place) -> str:
    return "null" if value is None else f"{literal(value)}::{place.type}"


def _insert(name: str, known: Sequence[Place], row: Row, changes: Mapping[str, str | None]) -> str:
    # Without the privilege on any column all are named: the refusal is PostgreSQL's to say.
    whole = [place for place in known if not place.generated and place.name in {**row.values, **changes}]
    held = [place for place in whole if place.insert] or whole
    values = {**row.values, **changes}
    columns = ", ".join(ident(place.name) for place in held)
    given = ", ".join(_typed(values[place.name], place) for place in held)
    overriding = " overriding system value" if any(place.identity == "a" for place in held) else ""
    return f"insert into {name} ({columns}){overriding} values ({given})"
