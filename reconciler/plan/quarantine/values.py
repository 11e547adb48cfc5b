"""Values that become others: of a column whose type gets narrower, and of an enum that loses a value.

A value that does not come back by itself when the change is undone is kept, by the key of its row, with what it will read then; the
way back puts it where it was, unless somebody wrote another meanwhile. What becomes nothing else is not kept: it is there.
Pure functions over statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import printed, rounds, using
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import ident, literal
from reconciler.plan.quarantine import direct, gradual
from reconciler.plan.quarantine import row_keys as keys
from reconciler.plan.quarantine.columns import is_large, long, say
from reconciler.plan.quarantine.loss import AFTERWARDS, Loss, Pick, named, stands_for, still_changed, was
from reconciler.plan.quarantine.registry import SCHEMA
from reconciler.plan.quarantine.row_keys import free, kept_value, key_of, own_type
from reconciler.plan.quarantine.way import Way

RETYPES = re.compile(r"\balter column\b.* \btype\b|\bset data type\b", re.IGNORECASE | re.DOTALL)


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements, with every value that becomes another kept, and every one that was put back."""
    found = list(statements)
    first: list[Statement] = []
    for loss, causes in _changed(way.before, way.after, way.fills, way):
        found = _kept(found, loss, causes, way, first)
    for loss, causes in _changed(way.after, way.before, way.undo, way):
        found = _restored(found, loss, causes, way)
    return way.ahead(found, first)


def _kept(
    statements: list[Statement], loss: Loss, causes: frozenset[ObjectId], way: Way, first: list[Statement]
) -> list[Statement]:
    places = _changing(statements, causes)
    at = places[0] if places else way.begin(statements)
    what = f"{loss.table}: values of {loss.columns[0].id.part} that become others"
    told = [_told(s, loss) if n in places else s for n, s in enumerate(statements)]
    if is_large(loss, way) and gradual.possible(loss):
        first += [
            say(
                loss,
                gradual.begun(loss),
                f"{what} will be kept, {loss.key}; what is written meanwhile is noted",
            ),
            long(loss, gradual.copied(loss), f"{what} are kept while others write"),
        ]
        keep = say(loss, gradual.closed(loss), f"{what} are kept, also those written last")
    else:
        keep = say(loss, direct.kept(loss), f"{what} are kept, {loss.key}")
    return [*told[:at], keep, *told[at:]]


def _told(statement: Statement, loss: Loss) -> Statement:
    if not any(h.code is HazardCode.LOSSY_CAST for h in statement.hazards):
        return statement
    said = f"What becomes another value of {loss.columns[0].id} is kept in {loss.copy}, rows known {loss.key}; DOWN puts it back."
    return replace(statement, hazards=(*statement.hazards, Hazard(HazardCode.LOSSY_CAST, said)))


def _restored(
    statements: list[Statement], loss: Loss, causes: frozenset[ObjectId], way: Way
) -> list[Statement]:
    places = _changing(statements, causes)
    end = way.end(statements)
    at = places[-1] + 1 if places else end
    what = f"{loss.table}: values of {loss.columns[0].id.part} are what they were"
    # A value that was just added to an enum may be used when it is committed (manual: ALTER TYPE, Notes).
    found = [
        replace(s, transactional=False, apart=False) if s.subject in causes and " add value " in s.sql else s
        for s in statements
    ]
    if not way.forward and is_large(loss, way) and gradual.possible(loss):
        # Behind everything: nothing else of the plan waits for it.
        undone = say(loss, gradual.abandoned(loss), f"{what}: what an interrupted run may have begun")
        begin = way.begin(statements)
        put = long(loss, gradual.restored(loss), what)
        return [*found[:begin], undone, *found[begin:end], put, *found[end:]]
    return [*found[:at], say(loss, _put_back(loss), what), *found[at:]]


def _put_back(loss: Loss) -> str:
    (column,) = loss.columns
    name, table = ident(column.id.part), literal(w.name(loss.table))
    kept = [pick.name for pick in loss.picks]
    rows = keys.found_again(loss.key, loss.live, loss.copy, kept, some=bool(loss.condition))
    lines = [
        f"was := {SCHEMA}.prepared({table}, true);",
        f"update {loss.live} as t set {name} = {was(loss, 'k.')}{rows} and"
        f" {still_changed(loss, 't.', 'k.')};",
        "get diagnostics total = row_count;",
        f"perform {SCHEMA}.finished({table}, was);",
        f"perform {SCHEMA}.matched({literal(loss.tag)}, {literal(loss.name)}, total);",
        direct.done(loss),
    ]
    return direct.block(["was jsonb", "total bigint"], direct.if_kept(loss, lines))


def _changing(statements: list[Statement], causes: frozenset[ObjectId]) -> list[int]:
    return [
        n for n, s in enumerate(statements)
        if s.subject in causes
        and (RETYPES.search(s.sql) or " add value " in s.sql or (s.subject is not None and s.subject.kind == "enum"))
    ]  # fmt: skip


def _changed(
    full: Snapshot, short: Snapshot, fills: Mapping[ObjectId, str], way: Way
) -> Iterator[tuple[Loss, frozenset[ObjectId]]]:
    """(what is lost, the objects whose statements change it) on the way from `full` to `short`."""
    for column in sorted(full.by_kind.get("column", ()), key=lambda fact: fact.id):
        other = short.facts.get(column.id)
        table = column.parent
        if other is None or table is None or table.kind != "table" or table not in short.facts:
            continue
        if column["generated"] or other["generated"] or stands_for(table, full, short) != table:
            continue
        found = _narrowed(column, other) or _replaced(column, other, full, short, fills)
        if found is None:
            continue
        afterwards, condition, there, causes = found
        tag = way.tag(
            ObjectId("values", table.schema, table.name, f"{column.id.part} {column['type']} {condition}")
        )
        key = key_of(table, full, short, column.id)
        picks = (
            Pick(column.id.part, own_type(column["type"]), kept_value(column, "t.")),
            Pick(free(AFTERWARDS, key.taken), "text", afterwards),
        )
        yield (
            Loss(
                "values", table, (column,), key, picks, there,
                not full.facts[table]["partition_by"], tag, named(f"{table.name}_{column.id.part}", tag), condition=condition,
            ),
            causes,
        )  # fmt: skip


_Found = tuple[str, str, str, frozenset[ObjectId]]
"""(what the value will read when the change is undone, whether that is another, whether the change is still to come, its causes)."""


def _narrowed(old: Fact, new: Fact) -> _Found | None:
    if old["type"] == new["type"] or not rounds(old["type"], new["type"]):
        return None
    value = f"t.{ident(old.id.part)}"
    forth, _ = using(value, old["type"], new["type"])
    back, _ = using(f"({forth})", new["type"], old["type"])
    afterwards = printed(f"({back})")
    there = f"{SCHEMA}.is_of_type({literal(w.name(old.id))}, {literal(old.id.part)}, {literal(old['type'])})"
    return afterwards, f"{printed(value)} is distinct from {afterwards}", there, frozenset({old.id})


def _replaced(
    old: Fact, new: Fact, full: Snapshot, short: Snapshot, fills: Mapping[ObjectId, str]
) -> _Found | None:
    """An enum that loses values for which there is a successor."""
    if old["type"] != new["type"]:
        return None
    for enum in sorted(full.edges.get(old.id, frozenset())):
        if enum.kind != "enum" or enum not in short.facts:
            continue
        gone = [value for value in full.facts[enum]["values"] if value not in short.facts[enum]["values"]]
        pairs = [
            (literal(value), literal(successor))
            for value in gone
            if (successor := fills.get(ObjectId("enum_value", *enum[1:3], value))) is not None
        ]
        if not pairs:
            continue
        value = f"t.{ident(old.id.part)}"
        listed = ", ".join(gone for gone, _ in pairs)
        if old["type"].endswith("[]"):
            text = whole = f"({printed(value)})::text[]"
            for one, successor in pairs:
                text = f"pg_catalog.array_replace({text}, {one}, {successor})"
            afterwards, condition = printed(f"({text})"), f"{whole} && array[{listed}]"
        else:
            text = f"({printed(value)})"
            afterwards = f"case {text} {' '.join(f'when {a} then {b}' for a, b in pairs)} end"
            condition = f"{text} in ({listed})"
        there = (
            "exists (select from pg_catalog.pg_enum as e where e.enumtypid ="
            f" pg_catalog.to_regtype({literal(w.name(enum))}) and e.enumlabel in ({listed}))"
        )
        return afterwards, condition, there, frozenset({old.id, enum})
    return None
