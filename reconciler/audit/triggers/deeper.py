"""What else a fired trigger may do wrong: nothing at all because rows are hidden, a log that its subjects change, errors that nobody hears of.

Each is tried with a statement that was seen to succeed. Promises a script for what is an error. Nothing is left in the world.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.audit.rules.triggers import BY_ID
from reconciler.audit.triggers import script
from reconciler.audit.triggers.logs import called_like_one
from reconciler.audit.triggers.responsible import path, responsible
from reconciler.audit.triggers.stage import Fired, Place, Stage, fire, places
from reconciler.audit.triggers.trace import SCHEMA, Note
from reconciler.audit.triggers.tries import Try
from reconciler.audit.triggers.wiring import Trigger
from reconciler.model import Finding, ObjectId
from reconciler.pg import ident, literal
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.tokens import mentions
from reconciler.shadow.tenants.values import Identity

_FAILING = f"""
create function {SCHEMA}.fail() returns trigger language plpgsql as $body$
begin
  if pg_catalog.pg_trigger_depth() > 1 then
    raise exception using errcode = 'XR001', message = 'reconciler: made to fail';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$body$
"""


class Fault(NamedTuple):
    """What is wrong with a trigger; for an error `reason` and `script` are for its cell."""

    finding: Finding
    trigger: ObjectId
    reason: str = ""
    script: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """What needs to be tried once: each log by each identity, each write of each trigger."""

    logs: set[tuple[str, ObjectId]] = field(default_factory=set)
    writes: set[tuple[ObjectId, ObjectId]] = field(default_factory=set)


def deeper(
    both: Stage,
    alone: Stage,
    identity: Identity,
    triggers: Sequence[Trigger],
    fired: Sequence[tuple[Try, Fired]],
    tried: Tried,
) -> Iterator[Fault]:
    """Everything about these triggers that the statements that fired them still can show, and that was not tried before."""
    yield from _starved(alone, identity, triggers, fired)
    yield from _tampered(both, identity, fired, tried)
    yield from _swallowed(both, identity, fired, tried)


def _starved(
    stage: Stage, identity: Identity, triggers: Sequence[Trigger], fired: Sequence[tuple[Try, Fired]]
) -> Iterator[Fault]:
    """In the world where only A has rows, so that what row-level security hides there is A's own."""
    if not any(may_write(stage, trigger) for trigger in triggers):
        return
    told = set()
    hidden = _hidden(stage, triggers)
    if not hidden:
        return
    for attack, there in fired:
        unbound = fire(stage, identity, attack.sql, setup=attack.setup, unbound=hidden)
        did = Counter((note.table, note.op) for note in there.notes if note.by_function)
        more = any(note.by_function and not did[note.table, note.op] for note in unbound.notes)
        if not unbound.done or not more or not fire(stage, identity, attack.sql, setup=attack.setup).done:
            continue
        for note in unbound.notes:
            trigger = responsible(stage, note, attack) if note.by_function else None
            what = (note.table, note.op)
            if trigger is None or did[what] or (trigger.id, *what) in told:
                continue
            told.add((trigger.id, *what))
            count = sum(one.by_function and (one.table, one.op) == what for one in unbound.notes)
            verb = {"INSERT": "inserts", "UPDATE": "changes", "DELETE": "deletes"}[note.op]
            says = f"{trigger.id} {verb} {count} of A's rows in {note.table} without row-level security, none as {identity.name}, and raises no error"
            touched = fire(
                stage, identity, attack.sql, setup=attack.setup, unbound=hidden, touches=True
            ).touched
            made = script.starved(
                stage, identity, attack, (one.relation for one in touched), note.table, note.op, says
            )
            finding = BY_ID["TRG102"].finding(
                trigger.id,
                f"{says}.",
                evidence=shown(identity, attack, note),
                detail=f"{note.op.lower()} {note.table}",
            )
            yield Fault(
                finding,
                trigger.id,
                f"starved: it changes nothing in {note.table}, and no error says so",
                made,
            )


def _hidden(stage: Stage, triggers: Sequence[Trigger]) -> list[Relation]:
    """The tables whose row-level security binds these triggers and those they fire; all of them where a text does not say which."""
    secured = {r.id: r for r in stage.catalogue.relations.values() if r.secured and r.kind in ("r", "p")}
    found: set[ObjectId] = set()
    waiting: list[tuple[Trigger, str]] = [(trigger, "") for trigger in triggers]
    passed: set[tuple[ObjectId, str]] = set()
    while waiting:
        trigger, role = waiting.pop()
        if (trigger.id, role) in passed:
            continue
        passed.add((trigger.id, role))
        texts = [routine.text for routine in stage.wiring.bodies(trigger.function)]
        if any(text.unreadable or text.dynamic for text in texts):
            return list(secured.values())
        for effect in stage.wiring.effects(trigger.function):
            by = next((one.owner for one in reversed(effect.through) if one.definer), role)
            if effect.table in secured and _binds(stage, secured[effect.table], by):
                found.add(effect.table)
            waiting += [(fired, by) for fired in stage.wiring.fired_by(effect)]
    return [relation for id, relation in secured.items() if id in found]


def _binds(stage: Stage, relation: Relation, role: str) -> bool:
    """Whether row-level security binds a role there; an empty name is the identity's own."""
    known = stage.catalogue.roles.get(role)
    if known is not None and known.bypasses:
        return False
    return not role or relation.forced or relation.owner != role


def shown(identity: Identity, attack: Try, note: Note) -> str:
    """Who did what, what happened then, and the statement."""
    return f"{identity.name} {attack.says}; {path(note)} as {note.role}\n{attack.sql}"


def may_touch(stage: Stage, trigger: Trigger) -> bool:
    """Whether its function, or one that it calls, reads or writes anything but its row, as far as its text can tell."""
    return any(
        routine.text.unreadable or routine.text.dynamic or routine.text.uses
        for routine in stage.wiring.bodies(trigger.function)
    )


def may_write(stage: Stage, trigger: Trigger) -> bool:
    """Whether its function, or one that it calls, writes a table, as far as its text can tell."""
    return any(
        routine.text.unreadable or routine.text.dynamic or routine.text.writes
        for routine in stage.wiring.bodies(trigger.function)
    )


def _tampered(
    stage: Stage, identity: Identity, fired: Sequence[tuple[Try, Fired]], tried: Tried
) -> Iterator[Fault]:
    """The log rows of one statement, changed, removed and forged by whoever made it."""
    for attack, one in fired:
        for note in one.notes:
            if (
                not note.by_function
                or note.op != "INSERT"
                or (identity.name, note.table) in tried.logs
                or not _is_log(stage, note.table)
                or _owns(stage, identity, note.table)
                or _is_meant(stage, note, responsible(stage, note, attack))
            ):
                continue
            tried.logs.add((identity.name, note.table))
            known = places(stage, identity.role, note.table)
            doings = [doing for doing in _doings(stage, note, known) if doing[1]]
            statements = [sql for _, sql in doings]
            again = fire(stage, identity, attack.sql, setup=attack.setup, afterwards=statements, touches=True)
            writer = responsible(stage, note, attack)
            for (verb, sql), count in zip(doings, again.afterwards, strict=False):
                if count > 0 and writer is not None:
                    yield _tampering(stage, identity, attack, note, again, writer, verb, sql)


def _tampering(
    stage: Stage,
    identity: Identity,
    attack: Try,
    note: Note,
    again: Fired,
    writer: Trigger,
    verb: str,
    sql: str,
) -> Fault:
    says = f"{identity.name}, whose statement {note.table} logged, could {verb} the log row"
    finding = BY_ID["TRG104"].finding(
        note.table,
        f"{says}.",
        evidence=f"{shown(identity, attack, note)};\n{sql}",
        detail=verb,
        severity="warning" if verb == "forge" else None,
    )
    if verb == "forge":
        return Fault(finding, writer.id)
    touched = [moved.relation for moved in again.touched]
    made = script.tampering(stage, identity, attack, touched, note.table, sql, says)
    return Fault(
        finding, writer.id, f"what it wrote into {note.table} can be changed by whom it is about", made
    )


def _owns(stage: Stage, identity: Identity, table: ObjectId) -> bool:
    """Whether the role may do anything with the table in any case."""
    role = stage.catalogue.roles.get(identity.role)
    return stage.relation(table).owner in {identity.role, *(role.members_of if role else ())}


def _is_meant(stage: Stage, note: Note, writer: Trigger | None) -> bool:
    """Whether the row was put through a view upon that very table: then it is what the statement was for, and no log of it."""
    if writer is None or writer.table.kind != "view":
        return False
    below = stage.relation(note.table)
    return mentions(stage.relation(writer.table).definition, below.name)


def _is_log(stage: Stage, table: ObjectId) -> bool:
    return called_like_one(table, stage.wiring.columns.get(table, ()))


def _doings(stage: Stage, note: Note, known: Sequence[Place]) -> Iterator[tuple[str, str]]:
    name, row = ident(note.table.schema, note.table.name), dict(note.now or {})
    keys = stage.relation(note.table).primary
    # The row is new each time: what numbers it is not compared, where a key has other columns.
    where = " and ".join(
        f"{ident(place.name)} = {literal(str(row[place.name]))}::{place.type}"
        for place in known
        if place.name in keys and not place.identity and isinstance(row.get(place.name), str) and place.select
    )
    condition = f" where {where}" if where else ""
    settable = [place for place in known if place.update and not place.generated and place.identity != "a"]
    yield (
        "update",
        f"update {name} set {ident(settable[-1].name)} = {ident(settable[-1].name)}{condition}"
        if settable
        else "",
    )
    yield "delete", f"delete from {name}{condition}"
    given = [
        place for place in known if place.insert and not place.generated and not place.identity and place.name in row
        and not (place.name in keys and len(keys) == 1)
    ]  # fmt: skip
    values = ", ".join(_value(row[place.name], place) for place in given)
    columns = ", ".join(ident(place.name) for place in given)
    yield "forge", f"insert into {name} ({columns}) values ({values})" if given else ""


def _value(value: object, place: Place) -> str:
    if value is None:
        return "null"
    text = value if isinstance(value, str) and place.type not in ("json", "jsonb") else json.dumps(value)
    return f"{literal(str(text))}::{place.type}"


def _swallowed(
    stage: Stage, identity: Identity, fired: Sequence[tuple[Try, Fired]], tried: Tried
) -> Iterator[Fault]:
    """Makes each table that a trigger writes fail, once, and looks whether the statement succeeds all the same."""
    for attack, one in fired:
        for note in one.notes:
            trigger = responsible(stage, note, attack) if note.by_function else None
            if trigger is None or (trigger.id, note.table) in tried.writes:
                continue
            tried.writes.add((trigger.id, note.table))
            name = ident(note.table.schema, note.table.name)
            failing = (
                _FAILING,
                f'create trigger "!reconciler_fail" before insert or update or delete on {name} for each row execute function {SCHEMA}.fail()',
            )
            failed = fire(stage, identity, attack.sql, setup=(*attack.setup, *failing))
            written = {(other.table, other.op) for other in failed.notes if other.by_function}
            elsewhere = written - {(other.table, other.op) for other in one.notes if other.by_function}
            if failed.done and (note.table, note.op) not in written and not elsewhere:
                finding = BY_ID["TRG105"].finding(
                    trigger.id,
                    f"When {note.table} refuses what {trigger.id} writes, the statement succeeds and nobody is told.",
                    evidence=f"while every {note.op} on {note.table} fails: {shown(identity, attack, note)}",
                    detail=str(note.table),
                )
                yield Fault(finding, trigger.id)
