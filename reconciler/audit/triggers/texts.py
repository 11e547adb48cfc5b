"""What is wrong in the text of one trigger function: swallowed errors, errors without a name, placeholders, lookups without the tenant.

Promises one finding per place, at the function. Knows the text (`shadow.bodies`) and whose the tables are; runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from reconciler.audit.rules.triggers import BY_ID
from reconciler.audit.triggers.wiring import Routine, Trigger, Wiring
from reconciler.declare.lexer import Token
from reconciler.declare.values import TriggerDesign
from reconciler.model import Finding, ObjectId
from reconciler.pg import ident
from reconciler.shadow.bodies.body import WRITES, Handler, Raised, Use, constant, said
from reconciler.shadow.bodies.touched import touched
from reconciler.shadow.tenants.values import Tenancy

_GIVEN = frozenset(
    {
        "coalesce",
        "values",
        "nullif",
        "greatest",
        "least",
        "case",
        "then",
        "else",
        "when",
        "and",
        "or",
        "not",
        "in",
    }
)
_PLACEHOLDER = re.compile(
    r"^\s*(unknown|dummy|placeholder|n/?a|none|tbd|todo|temp|tmp|test|missing|undefined|unnamed|untitled|fixme|xx+|-+|\?+)\s*$"
    r"|placeholder|dummy",
    re.I,
)
_NAMING = frozenset({"table", "column", "constraint", "datatype"})
_FRESH = frozenset(
    {
        "null",
        "true",
        "false",
        "default",
        "now",
        "gen_random_uuid",
        "clock_timestamp",
        "current_timestamp",
        "current_date",
    }
)


def judged(
    routine: Routine,
    triggers: Sequence[Trigger],
    wiring: Wiring,
    tenancy: Tenancy,
    logs: frozenset[ObjectId],
    answers: Mapping[ObjectId, TriggerDesign],
) -> Iterator[Finding]:
    """What is to be said about a function that these triggers run."""
    yield from _swallowed(routine, triggers, answers)
    yield from _nameless(routine, triggers, wiring)
    yield from _placeholders(routine, wiring, logs)
    yield from _refreshes(routine)
    yield from _unpinned(routine)
    yield from _without_tenant(routine, triggers, wiring, tenancy)


def _swallowed(
    routine: Routine, triggers: Sequence[Trigger], answers: Mapping[ObjectId, TriggerDesign]
) -> Iterator[Finding]:
    for number, handler in enumerate(routine.text.handlers, 1):
        if not handler.catches_all or handler.raises:
            continue
        agreed = [answers[trigger.id].on_error for trigger in triggers if trigger.id in answers]
        if _records(handler) and agreed and all(answer in ("queue", "log") for answer in agreed):
            continue
        yield BY_ID["TRG005"].finding(
            routine.id,
            f"{routine.id} catches every error in line {handler.line} and does not raise it again.",
            evidence="; ".join(said(step.tokens) for step in handler.steps) or "an empty handler",
            detail=f"handler {number}",
        )


def _records(handler: Handler) -> bool:
    return any(touch.verb in WRITES for step in handler.steps for touch in touched(step.tokens))


def _nameless(routine: Routine, triggers: Sequence[Trigger], wiring: Wiring) -> Iterator[Finding]:
    tables = {trigger.table for trigger in triggers} | {effect.table for effect in wiring.effects(routine)}
    names = {table.name.lower() for table in tables}
    names |= {name.removesuffix("s") for name in names} | {name.removesuffix("es") for name in names}
    names |= {column.lower() for trigger in triggers for column in wiring.columns.get(trigger.table, ())}
    names |= {"tg_table_name", "tg_relid", "tg_name", "tg_relname"}
    for raised in routine.text.raised:
        if raised.level != "exception" or raised.again or raised.options & _NAMING:
            continue
        if not _names(raised, names):
            yield BY_ID["TRG006"].finding(
                routine.id,
                f"The error that {routine.id} raises in line {raised.step.line} names neither its table nor a column.",
                evidence=said(raised.step.tokens),
                detail=raised.text[:60],
            )


def _names(raised: Raised, names: set[str]) -> bool:
    return any(word in names for word in re.findall(r"[a-z0-9_\u0080-\uffff]+", raised.text.lower()))


def _placeholders(routine: Routine, wiring: Wiring, logs: frozenset[ObjectId]) -> Iterator[Finding]:
    for use in routine.text.writes:
        table = wiring.table(use.touch.table, routine)
        if use.touch.verb != "insert" or use.dynamic or table is None or table in logs:
            continue
        why = _placeholder(use)
        if why:
            yield BY_ID["TRG007"].finding(
                routine.id,
                f"{routine.id} writes a placeholder into {table} in line {use.step.line}: {why}.",
                evidence=said(use.step.tokens),
                detail=str(table),
            )


def _placeholder(use: Use) -> str:
    words = use.step.words
    if "values" not in words:
        return "default values" if words[-2:] == ("default", "values") else ""
    values = use.step.tokens[words.index("values") + 1 :]
    for token in _outside_calls(values):
        if token.kind == "string" and _PLACEHOLDER.search(constant(token)):
            return f"the word {token.text}"
    known = all(token.kind in ("string", "number", "op") or token.word in _FRESH for token in values)
    return "all its values are constants" if known else ""


def _outside_calls(tokens: Sequence[Token]) -> Iterator[Token]:
    """Without the arguments of functions: `replace(name, '-', '')` writes no hyphen. `coalesce` shows what it is given."""
    inside = 0
    for before, token in zip((None, *tokens), tokens, strict=False):
        called = before is not None and before.kind in ("word", "name") and before.word not in _GIVEN
        if token.text == "(" and (inside or called):
            inside += 1
        if not inside:
            yield token
        if token.text == ")" and inside:
            inside -= 1


def _refreshes(routine: Routine) -> Iterator[Finding]:
    for use in routine.text.uses:
        if use.touch.verb == "refresh":
            yield BY_ID["TRG008"].finding(
                routine.id,
                f"{routine.id}, which a trigger runs, refreshes {'.'.join(part for part in use.touch.table if part)}.",
                evidence=said(use.step.tokens),
                detail=".".join(part for part in use.touch.table if part),
            )


def _unpinned(routine: Routine) -> Iterator[Finding]:
    if routine.definer and routine.path is None:
        name = ident(routine.id.schema, routine.id.name) + routine.id.part
        yield BY_ID["TRG013"].finding(
            routine.id,
            f"{routine.id}, which a trigger runs, has its owner's rights and its caller's search_path.",
            remedy=f"alter {routine.id.kind} {name} set search_path = '';  -- and qualify every name in it",
        )


def _without_tenant(
    routine: Routine, triggers: Sequence[Trigger], wiring: Wiring, tenancy: Tenancy
) -> Iterator[Finding]:
    told = set()
    for use in routine.text.uses:
        table = wiring.table(use.touch.table, routine)
        owned = tenancy.tables.get(table) if table is not None else None
        if (
            table is None
            or owned is None
            or owned.ownership not in ("tenant", "root", "membership")
            or not owned.columns
        ):
            continue
        if use.touch.verb not in ("select", "update", "delete", "merge") or use.dynamic:
            continue
        words = {token.identifier for token in use.step.tokens}
        own_row = all(trigger.table == table for trigger in triggers) and bool(words & {"new", "old"})
        if words & set(owned.columns) or own_row or table in told:
            continue
        told.add(table)
        yield BY_ID["TRG014"].finding(
            routine.id,
            f"Line {use.step.line} of {routine.id} {_VERBS[use.touch.verb]} {table} without naming {' or '.join(owned.columns)}.",
            evidence=said(use.step.tokens),
            detail=str(table),
            severity="info" if use.touch.verb == "select" else None,
        )


_VERBS = {"select": "reads", "update": "updates", "delete": "deletes from", "merge": "merges into"}
