"""What goes from one tenant to the other when a trigger is fired: rows of B that it writes, and words of B's that it puts where A reads them.

Knows what a try came to. Promises that neither what the statement itself reached nor what the client had sent is blamed on a trigger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.audit.rules.triggers import BY_ID
from reconciler.audit.triggers import script
from reconciler.audit.triggers.deeper import Fault, shown
from reconciler.audit.triggers.responsible import fires, raised_in, responsible
from reconciler.audit.triggers.stage import Fired, Stage, fire
from reconciler.audit.triggers.trace import Note
from reconciler.audit.triggers.tries import Try
from reconciler.audit.triggers.wiring import Trigger
from reconciler.model import ObjectId
from reconciler.shadow.tenants.values import Identity, Row


class Crossing(NamedTuple):
    """A row of B that a trigger wrote; `chosen` when B's key stood in what the client sent."""

    trigger: ObjectId
    table: ObjectId
    chosen: bool


@dataclass
class Seen:
    """What firing the triggers of one table by one event as one identity came to. `refused` is why it was not, `denied` that it never could,
    `stuck` that it took too long,
    `rows` how many rows of A were tried, `hidden` how many of them row-level security kept from it, `good` one that
    it could do it with; `named` who of the same role sent B's keys, if not this one."""

    fired: list[tuple[Try, Fired]] = field(default_factory=list)
    ran: set[ObjectId] = field(default_factory=set)
    crossed: dict[Crossing, tuple[Try, Note]] = field(default_factory=dict)
    disclosed: dict[ObjectId, tuple[Try, Fired, tuple[str, ...]]] = field(default_factory=dict)
    failing: dict[ObjectId, tuple[Try, Fired]] = field(default_factory=dict)
    endless: dict[ObjectId, Try] = field(default_factory=dict)
    refused: str = ""
    denied: bool = False
    stuck: bool = False
    rows: int = 0
    hidden: int = 0
    good: Row | None = None
    named: str = ""

    @property
    def over(self) -> bool:
        """Whether one more row would come to the same."""
        return self.denied or self.stuck


def cross(stage: Stage, attack: Try, one: Fired, seen: Seen) -> None:
    """Notes which triggers wrote B's rows although the rows that the statement itself named are A's."""
    own = [note for note in one.notes if note.depth == 1]
    if one.code or any(note.was_of == "B" for note in own):
        return  # where the statement itself reaches B's rows, it is no trigger's doing
    for note in one.notes:
        if not note.of("B"):
            continue
        if any(outer.by_function and outer.depth == note.depth - 1 and outer.of("B") for outer in one.notes):
            continue  # what fires this trigger is B's already: the one before it went too far
        if note.by_function:
            trigger = responsible(stage, note, attack)
        else:
            before = [t for t in fires(stage, note) if t.timing == "before"]
            trigger = before[0] if before and attack.payload and note.depth == 1 else None
        if trigger is not None:
            seen.crossed.setdefault(Crossing(trigger.id, note.table, attack.tenant), (attack, note))


def crossings(stage: Stage, identity: Identity, seen: Seen) -> Iterator[Fault]:
    for crossing, (attack, note) in sorted(seen.crossed.items()):
        touched = fire(stage, identity, attack.sql, setup=attack.setup, touches=True).touched
        verb = {"INSERT": "inserted", "UPDATE": "changed", "DELETE": "deleted"}[note.op]
        rule = BY_ID["TRG103" if crossing.chosen and note.was is None else "TRG101"]
        says = f"{crossing.trigger}, fired by a row of A, {verb} a row of B in {note.table}"
        made = script.crossing(stage, identity, attack, (one.relation for one in touched), note.table, says)
        finding = rule.finding(
            crossing.trigger,
            f"{says}.",
            evidence=shown(identity, attack, note),
            detail=f"{attack.event} {note.table}",
        )
        yield Fault(finding, crossing.trigger, f"it {verb} a row of B in {note.table}", made)


def disclose(stage: Stage, attack: Try, one: Fired, seen: Seen) -> None:
    """Notes which trigger put words of B's into a row that is not B's, or into an error."""
    given = set(_words(attack.sql))
    if one.code:
        words = tuple(sorted(set(_words(one.said)) & stage.strange - given))
        trigger = raised_in(stage, one.context, attack) if words else None
        if trigger is not None:
            seen.disclosed.setdefault(trigger.id, (attack, one, words))
        return
    for note in one.notes:
        if note.of("B"):
            continue
        was = note.was or {}
        new = " ".join(str(value) for name, value in (note.now or {}).items() if value != was.get(name))
        words = tuple(sorted(set(_words(new)) & stage.strange - given))
        trigger = _writer(stage, note, attack) if words else None
        if trigger is not None:
            seen.disclosed.setdefault(trigger.id, (attack, one, words))


def disclosures(stage: Stage, identity: Identity, seen: Seen) -> Iterator[Fault]:
    for trigger, (attack, one, words) in sorted(seen.disclosed.items()):
        again = fire(stage, identity, attack.sql, setup=attack.setup, touches=True)
        where = "in an error" if one.code else "in a row that is not B's"
        says = f"{trigger}, fired by a row of A, shows what is B's {where}: {words[0]}"
        tables = {note.table for note in one.notes}
        made = script.disclosing(
            stage, identity, attack, (t.relation for t in again.touched), tables, words, says
        )
        evidence = f"{identity.name} {attack.says}\n{attack.sql}"
        finding = BY_ID["TRG108"].finding(trigger, f"{says}.", evidence=evidence, detail=attack.event)
        yield Fault(finding, trigger, f"it shows what is B's {where}", made)


def _writer(stage: Stage, note: Note, attack: Try) -> Trigger | None:
    """Whose function wrote the row, or, of the row of the statement itself, the BEFORE trigger that filled it."""
    if note.by_function:
        return responsible(stage, note, attack)
    before = [trigger for trigger in fires(stage, note) if trigger.timing == "before"]
    return next((trigger for trigger in before if trigger.function.text.assigned), None)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text)
