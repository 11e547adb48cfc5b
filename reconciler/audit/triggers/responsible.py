"""Which trigger wrote a row: read from the functions that PostgreSQL says were running.

Promises the innermost trigger function on the stack, and of several triggers that call it the one whose table and event fit. None where
only a foreign key's action or a function in C was at work.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.audit.triggers.stage import Stage
from reconciler.audit.triggers.trace import Note, frames_of
from reconciler.audit.triggers.tries import Try
from reconciler.audit.triggers.wiring import Trigger
from reconciler.pg import ident


def responsible(stage: Stage, note: Note, attack: Try, *, outermost: bool = False) -> Trigger | None:
    """The trigger whose function wrote the row; the first one of the chain with `outermost`."""
    frames = [name for name, _ in note.frames]
    return _called(stage, frames[::-1] if outermost else frames, attack)


def raised_in(stage: Stage, context: str, attack: Try) -> Trigger | None:
    """The trigger in whose function an error was raised, from the error's context."""
    return _called(stage, [name for name, _ in frames_of(context)], attack)


def _called(stage: Stage, frames: Sequence[str], attack: Try) -> Trigger | None:
    for name in frames:
        called = [trigger for trigger in stage.wiring.triggers if trigger.enabled and _means(name, trigger)]
        if called:
            return min(
                called, key=lambda t: (attack.event not in t.events, str(t.table) not in attack.says, t.id)
            )
    return None


def fires(stage: Stage, note: Note) -> tuple[Trigger, ...]:
    """The triggers that a row written there fires."""
    return tuple(
        trigger
        for trigger in stage.wiring.triggers
        if trigger.enabled and trigger.table == note.table and note.op.lower() in trigger.events
    )


def path(note: Note) -> str:
    """The functions on the stack, the outermost first, with their lines."""
    steps = [f"{name} line {line}" if line else name for name, line in reversed(note.frames)]
    return " → ".join([*steps, f"{note.op} {note.table}"])


def _means(frame: str, trigger: Trigger) -> bool:
    name = frame.partition("(")[0]
    id = trigger.function.id
    return name in (ident(id.schema, id.name), ident(id.name), f"{id.schema}.{id.name}", id.name)
