"""Foreign keys of what comes back, and to it: put back without a check, then checked.

While a table was kept, rows that its own pointed to may have gone, and rows that pointed to it may have come. Promises that the message
then names the table, the key, how many rows and which; and that a key is never left unchecked unless it was before: what stands in the
same transaction is taken back with it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.catalog.kinds import constraint
from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import literal
from reconciler.plan.quarantine.registry import if_kept
from reconciler.plan.quarantine.tables import creates, is_copied, points_to
from reconciler.plan.quarantine.way import Way

_VALIDATES = re.compile(r"alter table \S+ validate constraint ", re.IGNORECASE)


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: foreign keys between a table that may come back and others are put back first where anything was ever kept;
    what stands in the plain statements is then there already."""
    spoken = {s.subject for s in statements if s.subject is not None and "add constraint" in s.sql}
    found: list[Statement] = []
    late: list[Statement] = []
    for statement in statements:
        id = statement.subject
        key = way.after.facts.get(id) if id is not None and id.kind == "constraint" else None
        if key is not None and way.new(key.id) and _returns(key, way) and "add constraint" in statement.sql:
            _put_back(key, way, found, late)
        if key is not None and _checked_late(key, way) and _VALIDATES.match(statement.sql):
            late.append(replace(statement, apart=True))
            continue
        found.append(statement)
        if id is not None and creates(statement) and way.new(id) and not is_copied(id, way):
            for part in way.after.children.get(id, ()):
                if part.id.kind == "constraint" and part.id not in spoken and _returns(part, way):
                    _put_back(part, way, found, late)
    return (*found, *late)


def _returns(key: Fact, way: Way) -> bool:
    """Whether it is a foreign key that was taken off, or will have been: of a new table or to one, not within one."""
    if key["type"] != "f" or key["inherited"] or key["foreign"] or key.parent is None:
        return False
    targets = points_to(key, way.after) - {key.parent}
    return bool(targets) and any(way.new(table) for table in {key.parent, *targets})


def _checked_late(key: Fact, way: Way) -> bool:
    """Whether it is checked by itself at the end: whoever writes to the other table need not wait for that."""
    return key.parent is not None and way.is_large(key.parent) and way.new(key.id) and _returns(key, way)


def _put_back(key: Fact, way: Way, found: list[Statement], late: list[Statement]) -> None:
    table = way.after.facts[key.parent] if key.parent is not None else None
    definition = constraint.definition(key)
    checked = not any(words in definition for words in ("NOT VALID", "NOT ENFORCED"))
    if table is not None and table["partition_by"] and way.context.major < 18:
        checked = (
            False  # there PostgreSQL has no unchecked foreign keys on partitioned tables, and checks at once
        )
    missing = (
        f"if not exists (select from pg_catalog.pg_constraint where conrelid = {literal(w.name(key.id))}::pg_catalog.regclass"
        f" and conname = {literal(key.id.part)}) then"
        f" alter table {w.name(key.id)} add {definition}{' not valid' if checked else ''}; end if"
    )
    given = (key.id.schema, key.id.name, key.id.part)
    check = f"perform reconciler_quarantine.validate_key({', '.join(literal(text) for text in given)})"
    commands = [missing, check] if checked else [missing]
    if checked and _checked_late(key, way):
        commands = [missing]
        sql = if_kept("validate_key", check)
        late.append(Statement(sql, f"foreign key {key.id}: holds for every row", subject=key.id, apart=True))
    doubt = f"Fails while a row of {key.parent} points to one that is gone, and says which."
    hazards = () if way.forward else (Hazard(HazardCode.DEPENDS_ON_DATA, doubt),)
    reason = f"foreign key {key.id}: as it was, where its table was kept"
    found.append(Statement(if_kept("validate_key", *commands), reason, hazards=hazards, subject=key.id))
