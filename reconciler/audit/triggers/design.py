"""How triggers are designed, judged by the catalog and the texts of their functions (rules TRG001 to TRG015).

Promises warnings and information only: a text is a hint. Rules about a function's text speak of the function once, however many triggers call it;
rules about when and where it fires speak of the trigger. Reads the database; changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from psycopg import Connection

from reconciler.audit.rules.triggers import BY_ID
from reconciler.audit.triggers import texts
from reconciler.audit.triggers.chains import chained, circular, written
from reconciler.audit.triggers.logs import logs, writers
from reconciler.audit.triggers.wiring import Effect, Routine, Trigger, Wiring, wiring
from reconciler.declare.values import TriggerDesign
from reconciler.model import Finding, ObjectId, Snapshot
from reconciler.pg import ident
from reconciler.shadow.tenants.values import Tenancy


@dataclass(frozen=True)
class Design:
    """What the checks look at."""

    wiring: Wiring
    tenancy: Tenancy
    answers: Mapping[ObjectId, TriggerDesign]
    definitions: Mapping[ObjectId, str]
    writers: Mapping[ObjectId, Mapping[str, tuple[str, ...]]]
    bypassing: frozenset[str]

    @cached_property
    def logs(self) -> frozenset[ObjectId]:
        return logs(self.wiring)

    @cached_property
    def functions(self) -> Mapping[ObjectId, tuple[Routine, tuple[Trigger, ...]]]:
        """Every function that triggers run, themselves or by way of others, with those triggers."""
        found: dict[ObjectId, tuple[Routine, tuple[Trigger, ...]]] = {}
        for trigger in self.wiring.triggers:
            for routine in self.wiring.bodies(trigger.function):
                _, known = found.get(routine.id, (routine, ()))
                found[routine.id] = (routine, (*known, trigger))
        return found


def designed(
    connection: Connection, snapshot: Snapshot, tenancy: Tenancy, answers: Iterable[TriggerDesign] = ()
) -> tuple[Finding, ...]:
    """What is to be said about the triggers of the snapshot. `connection` is a session in the database it was taken of."""
    wired = wiring(connection, snapshot)
    bypassing = connection.execute(
        "select rolname from pg_catalog.pg_roles where rolbypassrls or rolsuper"
    ).fetchall()
    design = Design(
        wired,
        tenancy,
        {answer.trigger: answer for answer in answers},
        {id: fact["definition"] for id, fact in snapshot.facts.items() if id.kind == "trigger"},
        writers(connection, logs(wired)),
        frozenset(role for (role,) in bypassing),
    )
    found = [
        finding
        for trigger in wired.triggers
        for check in _ABOUT_TRIGGERS
        for finding in check(design, trigger)
    ]
    found += chained(wired, design.logs)
    found += circular(wired)
    found += _logs(design)
    for routine, triggers in design.functions.values():
        found += texts.judged(routine, triggers, wired, tenancy, design.logs, design.answers)
    return tuple(sorted(set(found)))


def _before_writes(design: Design, trigger: Trigger) -> Iterator[Finding]:
    if trigger.timing != "before":
        return
    for table, effects in _by_table(design.wiring.effects(trigger.function)).items():
        writing = [effect for effect in effects if effect.use.writes]
        if writing and table != trigger.table:
            yield BY_ID["TRG001"].finding(
                trigger.id,
                f"The BEFORE trigger {trigger.id} writes {table}.",
                evidence=f"{writing[0].verb} in {writing[0].place}",
                remedy=_after(design, trigger),
                detail=str(table),
            )


def _after(design: Design, trigger: Trigger) -> str:
    """The trigger as an AFTER trigger, where nothing else needs to be changed."""
    definition = design.definitions.get(trigger.id, "")
    if trigger.function.text.assigned or " BEFORE " not in definition:
        return ""
    made = definition.replace("CREATE TRIGGER", "create or replace trigger", 1).replace(
        " BEFORE ", " after ", 1
    )
    return f"{made};"


def _after_assigns(design: Design, trigger: Trigger) -> Iterator[Finding]:
    text = trigger.function.text
    shared = re.search(r"\btg_when\b", text.source, re.I)
    if trigger.timing == "after" and text.assigned and not shared:
        names = ", ".join("NEW" if name == "*" else f"NEW.{name}" for name in text.assigned)
        yield BY_ID["TRG002"].finding(
            trigger.id,
            f"The AFTER trigger {trigger.id} assigns {names}, which changes nothing.",
            evidence=str(trigger.function.id),
        )


def _appends(design: Design, trigger: Trigger) -> Iterator[Finding]:
    text = trigger.function.text
    if (
        trigger.timing != "after"
        or not trigger.row
        or trigger.constraint
        or trigger.columns
        or trigger.when
        or trigger.table.kind != "table"
        or not text.writes
        or any(use.touch.verb != "insert" or "returning" in use.step.words for use in text.writes)
        or any(step.kind not in ("insert", "return", "if", "case", "null", "declare") for step in text.steps)
        or any("old" in step.words and "new" in step.words for step in text.steps if step.kind == "if")
        or any("select" in step.words and step.kind == "declare" for step in text.steps)
        or not all("new" in use.step.words or "old" in use.step.words for use in text.writes)
    ):
        return
    tables = " and ".join(
        sorted({str(effect.table) for effect in design.wiring.effects(trigger.function) if effect.use.writes})
    )
    yield BY_ID["TRG009"].finding(
        trigger.id,
        f"The row trigger {trigger.id} only appends one row to {tables or 'another table'} for each of its own.",
        evidence=text.writes[0].step.kind + f" in {trigger.function.id}, line {text.writes[0].step.line}",
        remedy=_statement_level(trigger),
    )


def _statement_level(trigger: Trigger) -> str:
    names = {"insert": "new table as new_rows", "delete": "old table as old_rows"}
    lines = [f"drop trigger {ident(trigger.id.part)} on {trigger.table};"]
    for event in trigger.events:
        referencing = names.get(event, "old table as old_rows new table as new_rows")
        name = trigger.id.part if len(trigger.events) == 1 else f"{trigger.id.part}_{event}"
        lines.append(
            f"create trigger {ident(name)} after {event} on {trigger.table} referencing {referencing}"
            f" for each statement execute function {trigger.function.id};"
        )
    return "\n".join([*lines, f"-- and in {trigger.function.id}: insert … select … from new_rows (old_rows)"])


def _unlogged(design: Design, trigger: Trigger) -> Iterator[Finding]:
    effects = design.wiring.effects(trigger.function)
    if any(effect.table in design.logs and effect.verb == "insert" for effect in effects):
        return
    for table, writing in _by_table(written(design.wiring, trigger, design.logs)).items():
        effect = writing[0]
        logged = any(
            one.table in design.logs and one.verb == "insert"
            for fired in design.wiring.fired_by(effect)
            for one in design.wiring.effects(fired.function)
        )
        if table == trigger.table or effect.verb == "refresh" or logged:
            continue
        yield BY_ID["TRG011"].finding(
            trigger.id,
            f"{trigger.id} writes {table}, and no log says so.",
            evidence=f"{effect.verb} in {effect.place}",
            detail=str(table),
            severity=None if design.logs else "info",
        )


def _unanswered(design: Design, trigger: Trigger) -> Iterator[Finding]:
    answer = design.answers.get(trigger.id)
    open_ = [
        question
        for question, given in (
            ("which invariant it protects (invariants)", answer and answer.invariants),
            ("what happens when it fails (on_error)", answer and answer.on_error),
            ("how it meets concurrency (concurrency)", answer and answer.concurrency.strip()),
            ("how it meets row-level security (tenancy)", answer and answer.tenancy.strip()),
        )
        if not given
    ]
    if open_:
        yield BY_ID["TRG012"].finding(trigger.id, f"For {trigger.id} nobody has said {', '.join(open_)}.")


def _unread(design: Design, trigger: Trigger) -> Iterator[Finding]:
    for routine in design.wiring.bodies(trigger.function):
        text = routine.text
        if text.unreadable or text.dynamic:
            why = text.unreadable or f"line {text.dynamic[0].line} executes a text made at run time"
            yield BY_ID["TRG015"].finding(
                trigger.id,
                f"What {trigger.id} does is not all in its text: {routine.id}: {why}.",
                detail=str(routine.id),
            )


_ABOUT_TRIGGERS = (_before_writes, _after_assigns, _appends, _unlogged, _unanswered, _unread)


def _logs(design: Design) -> Iterator[Finding]:
    """One finding for each privilege of ordinary roles; one for a table where only roles beyond row-level security may write."""
    for table, allowed in sorted(design.writers.items()):
        name = ident(table.schema, table.name)
        ordinary = {
            privilege: [role for role in roles if role not in design.bypassing]
            for privilege, roles in allowed.items()
        }
        for privilege, roles in sorted(ordinary.items()):
            if roles:
                also = " -- and from public" if len(roles) > 1 else ""
                yield BY_ID["TRG010"].finding(
                    table,
                    f"{table} is a log that triggers keep; {', '.join(roles)} may {privilege} it.",
                    remedy=f"revoke {privilege} on {name} from {', '.join(ident(role) for role in roles)};{also}",
                    detail=privilege,
                )
        beyond = sorted({role for roles in allowed.values() for role in roles if role in design.bypassing})
        if beyond and not any(ordinary.values()):
            privileges = ", ".join(sorted(allowed))
            yield BY_ID["TRG010"].finding(
                table,
                f"{table} is a log that triggers keep; {', '.join(beyond)}, beyond row-level security, may {privileges} it.",
                remedy=f"revoke {privileges} on {name} from {', '.join(ident(role) for role in beyond)};",
                detail="bypass",
                severity="info",
            )


def _by_table(effects: Iterable[Effect]) -> dict[ObjectId, list[Effect]]:
    found: dict[ObjectId, list[Effect]] = {}
    for effect in effects:
        if effect.use.writes:
            found.setdefault(effect.table, []).append(effect)
    return found
