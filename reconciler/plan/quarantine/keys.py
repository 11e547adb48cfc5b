"""Foreign keys of what comes back, and to it: put back without a check, then checked.

While a table was kept, rows that its own pointed to may have gone, and rows that pointed to it may have come. Promises that the message
then names the table, the key, how many rows and which; and that a key is never left unchecked unless it was before: what stands in the
same transaction is taken back with it.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.catalog.kinds import constraint
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import literal
from reconciler.plan.quarantine.tables import creates, is_copied
from reconciler.plan.quarantine.way import Way


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: foreign keys between a table that may come back and others in two steps, those of its CREATE TABLE too."""
    spoken = {s.subject for s in statements if s.subject is not None and "add constraint" in s.sql}
    found: list[Statement] = []
    late: list[Statement] = []
    done: set[ObjectId] = set()
    for statement in statements:
        id = statement.subject
        key = way.after.facts.get(id) if id is not None and id.kind == "constraint" else None
        if key is not None and way.new(key.id) and _returns(key, way):
            if "add constraint" in statement.sql:
                done.add(key.id)
                _added(key, way, found, late)
                continue
            if key.id in done and " validate constraint " in statement.sql:
                continue
        found.append(statement)
        if id is not None and creates(statement) and way.new(id) and not is_copied(id, way):
            for part in way.after.children.get(id, ()):
                if part.id.kind == "constraint" and part.id not in spoken and _returns(part, way):
                    _added(part, way, found, late)
    return (*found, *late)


def _returns(key: Fact, way: Way) -> bool:
    """Whether it is a foreign key that was taken off, or will have been: of a new table or to one, not within one."""
    if key["type"] != "f" or key["inherited"] or key["foreign"] or key.parent is None:
        return False
    targets = {
        ObjectId("table", need.schema, need.name)
        for need in way.after.edges.get(key.id, ())
        if need.kind in ("table", "column", "constraint")
    } - {key.parent}
    return bool(targets) and any(way.new(table) for table in {key.parent, *targets})


def _added(key: Fact, way: Way, found: list[Statement], late: list[Statement]) -> None:
    first, *dress = constraint.create(key, way.context, ())
    doubt = Hazard(
        HazardCode.DEPENDS_ON_DATA,
        f"Fails while a row of {key.parent} points to one that is gone, and says which.",
    )
    table = way.after.facts[key.parent] if key.parent is not None else None
    whole = constraint.definition(key)
    checked_later = not any(words in whole for words in ("NOT VALID", "NOT ENFORCED")) and (
        way.context.major >= 18 or not (table is not None and table["partition_by"])
    )  # PostgreSQL before 18 has no unchecked foreign keys on partitioned tables
    if not checked_later:
        found += [replace(first, hazards=(doubt,)), *dress]
        return
    found += [replace(first, sql=first.sql.replace(whole, f"{whole} not valid"), hazards=()), *dress]
    sql = f"select reconciler_quarantine.validate_key({literal(key.id.schema)}, {literal(key.id.name)}, {literal(key.id.part)})"
    checked = Statement(sql, f"foreign key {key.id}: holds for every row", hazards=(doubt,), subject=key.id)
    if key.parent is not None and way.is_large(key.parent):
        # By itself, at the end: whoever writes to the other table need not wait for the check.
        late.append(replace(checked, apart=True))
    else:
        found.append(checked)
