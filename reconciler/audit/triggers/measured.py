"""Triggers fired between two tenants: what they write, for whom, as whom, how deep.

Knows a world of two tenants and the catalog. Promises that an error happened, with a script that makes it happen again; a cell is isolated only
when the trigger's function ran, or when the identity is refused altogether. Nothing is left in the world. Nobody else may be at work in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.audit.rules.triggers import BY_ID
from reconciler.audit.triggers import tries
from reconciler.audit.triggers.crossing import Seen, cross, crossings, disclose, disclosures
from reconciler.audit.triggers.deeper import Fault, Tried, deeper, may_touch, shown
from reconciler.audit.triggers.responsible import responsible
from reconciler.audit.triggers.stage import Stage, fire, staged
from reconciler.audit.triggers.tries import Try
from reconciler.audit.triggers.wiring import Trigger
from reconciler.model import Cell, Finding, ObjectId, Snapshot
from reconciler.shadow.tenants.values import Identity, Row, World

_DEEP = 3


class Telling(NamedTuple):
    """What made the triggers write as the first identity of a role (`name`): values, and the statements with B's keys that came through."""

    name: str
    values: Sequence[Mapping[str, str | None]] = ()
    attacks: Sequence[Try] = ()


def fired(
    world: World, snapshot: Snapshot, *, told: Callable[[str], None] = lambda sentence: None
) -> tuple[tuple[Cell, ...], tuple[Finding, ...]]:
    """Every trigger by every event of its table, as everybody of A and those of nobody, with A's rows and with B's keys in them."""
    came = list(firing(world, snapshot, told=told))
    return (
        tuple(sorted(cell for cells, _ in came for cell in cells)),
        tuple(sorted(finding for _, findings in came for finding in findings)),
    )


def firing(
    world: World, snapshot: Snapshot, *, told: Callable[[str], None] = lambda sentence: None
) -> Iterator[tuple[tuple[Cell, ...], tuple[Finding, ...]]]:
    """The same, table by table and event by event, for those who may be interrupted. No finding comes twice."""
    known: set[str] = set()
    tried = Tried()
    with staged(world.both, world, snapshot) as both, staged(world.alone, world, snapshot) as alone:
        groups = list(_groups(both))
        for number, (table, event, triggers) in enumerate(groups, 1):
            told(f"fire {event} on {table} ({number} of {len(groups)})")
            cells: list[Cell] = []
            findings: dict[str, Finding] = {}
            # One identity of each role sends other values and B's keys: the others send what made the triggers write.
            telling: dict[str, Telling] = {}
            for identity in actors(world):
                seen = _seen(both, identity, table, event, triggers)
                if seen.good is not None and identity.role not in telling:
                    telling[identity.role] = _vary(both, identity, table, event, triggers, seen)
                elif seen.good is not None:
                    _repeat(both, identity, table, event, triggers, seen, telling[identity.role])
                faults = [
                    *crossings(both, identity, seen),
                    *disclosures(both, identity, seen),
                    *_deep(both, identity, triggers, seen),
                    *_failing(identity, seen),
                    *deeper(both, alone, identity, triggers, seen.fired, tried),
                ]
                for fault in faults:
                    findings.setdefault(fault.finding.key, fault.finding)
                cells += [_cell(both, trigger, event, identity, seen, faults) for trigger in triggers]
            yield tuple(cells), tuple(one for key, one in findings.items() if key not in known)
            known |= set(findings)


def actors(world: World) -> tuple[Identity, ...]:
    """Those of A alone and of nobody, whom row-level security binds."""
    return tuple(i for i in world.identities if not i.bypasses and i.sides in (("A",), ()))


def _groups(stage: Stage) -> Iterator[tuple[ObjectId, str, tuple[Trigger, ...]]]:
    held = {
        *stage.trace.tables.values(),
        *(r.id for r in stage.catalogue.relations.values() if r.kind == "v"),
    }
    enabled = [trigger for trigger in stage.wiring.triggers if trigger.enabled and trigger.table in held]
    for table in sorted({trigger.table for trigger in enabled}):
        for event in ("insert", "update", "delete", "truncate"):
            triggers = tuple(
                trigger for trigger in enabled if trigger.table == table and event in trigger.events
            )
            if triggers:
                yield table, event, triggers


def _seen(stage: Stage, identity: Identity, table: ObjectId, event: str, triggers: Sequence[Trigger]) -> Seen:
    rows = tries.rows_of(stage, table, identity)
    seen = Seen(rows=len(rows))
    for row in rows:
        for attack in tries.plain(stage, identity, table, event, row):
            if seen.good is None and not seen.over and _take(stage, identity, attack, triggers, seen):
                seen.good = row
        seen.hidden += seen.good is None and (not seen.refused or "row-level security" in seen.refused)
    if rows and seen.good is None and seen.refused:
        for attack in tries.changed(stage, identity, table, event, rows[0], triggers):
            if seen.good is None and not seen.over and _take(stage, identity, attack, triggers, seen):
                seen.good = Row({**rows[0].values, **attack.changes})
    return seen


def _vary(
    stage: Stage, identity: Identity, table: ObjectId, event: str, triggers: Sequence[Trigger], seen: Seen
) -> Telling:
    """Fires them with other values and with B's keys, where they touch anything beside their row or say whose it is."""
    owners = set(stage.world.tenancy.tables[table].columns) if table in stage.world.tenancy.tables else set()
    matter = any(may_touch(stage, t) or {"*", *owners} & set(t.function.text.assigned) for t in triggers)
    idle = any(trigger.function.id not in seen.ran for trigger in triggers)
    if seen.good is None or not (matter or idle):
        return Telling(identity.name)
    for attack in tries.changed(stage, identity, table, event, seen.good, triggers):
        if not seen.stuck:
            _take(stage, identity, attack, triggers, seen)
    telling = _telling(seen)
    empty = tries.to_fill(stage, identity, table, triggers)
    for base in [*telling, *([empty] if empty else [])] if matter else ():
        for attack in tries.naming(stage, identity, table, event, seen.good, triggers, base):
            one = fire(stage, identity, attack.sql, setup=attack.setup)
            seen.ran |= one.ran
            cross(stage, attack, one, seen)
            disclose(stage, attack, one, seen)
    crossed = [attack for attack, _ in seen.crossed.values()]
    disclosed = [attack for attack, _, _ in seen.disclosed.values()]
    return Telling(identity.name, telling, (*crossed, *disclosed))


def _repeat(
    stage: Stage,
    identity: Identity,
    table: ObjectId,
    event: str,
    triggers: Sequence[Trigger],
    seen: Seen,
    telling: Telling,
) -> None:
    """Fires them as one more identity of the role with what made them write."""
    seen.named = telling.name
    for values in telling.values:
        if seen.good is not None and values:
            for attack in tries.with_values(stage, identity, table, event, seen.good, values):
                _take(stage, identity, attack, triggers, seen)
    for attack in telling.attacks:
        one = fire(stage, identity, attack.sql, setup=attack.setup)
        cross(stage, attack, one, seen)
        disclose(stage, attack, one, seen)


def _telling(seen: Seen) -> list[Mapping[str, str | None]]:
    """The values with which the triggers were seen to write, each set of writes once: a branch that waits for a state is taken with it."""
    found: list[Mapping[str, str | None]] = []
    written: set[frozenset[tuple[ObjectId, str]]] = set()
    for attack, one in seen.fired:
        wrote = frozenset((note.table, note.op) for note in one.notes if note.by_function)
        if wrote not in written:
            written.add(wrote)
            found.append(attack.changes)
    return found[:3]


def _take(stage: Stage, identity: Identity, attack: Try, triggers: Sequence[Trigger], seen: Seen) -> bool:
    one = fire(stage, identity, attack.sql, setup=attack.setup)
    seen.ran |= one.ran
    if one.done or (attack.event == "truncate" and not one.code):
        seen.fired.append((attack, one))
        cross(stage, attack, one, seen)
        return True
    if one.code:
        seen.refused = f"{one.code}: {one.message}"
        seen.denied = one.code == "42501" and "permission denied" in one.message
        seen.stuck = one.code == "57014"
    # A function that refuses on purpose (errcode insufficient_privilege) can run.
    raised = one.context.partition("\n")[0].endswith("at RAISE")
    if one.code.startswith("42") and "row-level security" not in one.message and not raised:
        inside = [trigger for trigger in triggers if f"{trigger.function.id.name}(" in one.context]
        seen.failing.update(
            {trigger.id: (attack, one) for trigger in inside if trigger.id not in seen.failing}
        )
    if one.code == "54001":
        seen.endless.update({t.id: attack for t in triggers if f"{t.function.id.name}(" in one.context})
    return False


def _deep(stage: Stage, identity: Identity, triggers: Sequence[Trigger], seen: Seen) -> Iterator[Fault]:
    for attack, one in seen.fired:
        for note in one.notes:
            if len(note.frames) >= _DEEP and note.depth > _DEEP:
                first = responsible(stage, note, attack, outermost=True)
                if first is not None:
                    finding = BY_ID["TRG106"].finding(
                        first.id,
                        f"{first.id} was seen to run {note.depth - 1} triggers inside each other.",
                        evidence=shown(identity, attack, note),
                    )
                    yield Fault(finding, first.id)
    for trigger in triggers:
        if trigger.id in seen.endless:
            attack = seen.endless[trigger.id]
            finding = BY_ID["TRG106"].finding(
                trigger.id,
                f"A statement that fires {trigger.id} fails at the limit of the stack depth.",
                evidence=f"{identity.name} {attack.says}: {seen.refused}\n{attack.sql}",
                detail="endless",
            )
            yield Fault(finding, trigger.id)


def _failing(identity: Identity, seen: Seen) -> Iterator[Fault]:
    """Triggers that end in an error that no row has to do with: a privilege, a name that is not there."""
    for trigger, (attack, one) in sorted(seen.failing.items()):
        finding = BY_ID["TRG107"].finding(
            trigger,
            f"{trigger} fails whenever {identity.role} fires it: {one.message}.",
            evidence=f"{identity.name} {attack.says}: {one.code}: {one.message}\n{attack.sql}",
            detail=one.code,
        )
        yield Fault(finding, trigger)


def _cell(
    stage: Stage, trigger: Trigger, event: str, identity: Identity, seen: Seen, faults: Sequence[Fault]
) -> Cell:
    command, name = event.upper(), identity.name
    for fault in faults:
        if fault.trigger == trigger.id and fault.script:
            attack = fault.finding.evidence.partition(";")[0]
            return Cell(trigger.id, command, name, "leak", fault.reason, attack, fault.script)
    if seen.fired and trigger.function.id in seen.ran:
        by = f", as {seen.named}" if seen.named else ""
        reason = f"fired with rows of A, and with B's keys in them{by}: nothing of B's was written or shown"
        return Cell(trigger.id, command, name, "isolated", reason, f"{name} {seen.fired[0][0].says}")
    if seen.denied:
        return Cell(trigger.id, command, name, "isolated", f"cannot be fired by it: {seen.refused}")
    if not seen.rows:
        why = stage.world.unseeded.get(trigger.table) or f"{trigger.table} shows it no row of A"
        return Cell(trigger.id, command, name, "undecided", why)
    if _ruled(stage, identity, trigger.table, event):
        return Cell(
            trigger.id, command, name, "isolated", f"cannot be fired by it: no policy lets it {event} a row"
        )
    if seen.fired:
        return Cell(trigger.id, command, name, "undecided", "its condition held for no row that was tried")
    if stage.relation(trigger.table).secured and seen.hidden >= seen.rows:
        reason = f"cannot be fired by it: row-level security lets it {event} none of A's {seen.rows} rows"
        return Cell(trigger.id, command, name, "isolated", reason)
    why = seen.refused or f"the {event} reached no row"
    return Cell(trigger.id, command, name, "undecided", f"could not be fired with A's own rows: {why}")


def _ruled(stage: Stage, identity: Identity, table: ObjectId, event: str) -> bool:
    """Whether row-level security leaves the role no row for this command, whatever the row."""
    relation = stage.relation(table)
    letter = {"insert": "a", "update": "w", "delete": "d"}.get(event, "")
    role = stage.catalogue.roles.get(identity.role)
    roles = {"public", identity.role, *(role.members_of if role else ())}
    return relation.secured and not any(
        policy.permissive and policy.command in ("*", letter) and roles & set(policy.roles)
        for policy in relation.policies
    )
