"""Renames that were declared: the object keeps its rows, its indexes and its rights, and changes only its name.

PostgreSQL leaves the names of constraints, indexes and sequences as they are when their table is renamed; where the declaration
expects names made from the new one, they follow. Promises to do nothing once the old name is gone, and to refuse when both
names exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.errors import Source, Stalled
from reconciler.model import Change, ObjectId, Snapshot, Statement
from reconciler.pg import dollar, ident, literal


@dataclass(frozen=True, slots=True)
class Wish:
    """`old` shall be called `new`. For a column both carry the table's new name."""

    old: ObjectId
    new: ObjectId
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Renames:
    """The statements that rename, those that rename back, and what was renamed."""

    up: tuple[Statement, ...] = ()
    down: tuple[Statement, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class _Name:
    """One name that changes: of a `what` in `schema`, belonging to the table `table` (which has its new name already)."""

    what: str
    old: str
    new: str
    schema: str
    table: str


def renames(wishes: Iterable[Wish], before: Snapshot, after: Snapshot) -> Renames:
    """What has to be renamed in `before` on the way to `after`: tables, their columns, and the names made from both.

    Raises Stalled when an object of the new name is there already.
    """
    due = [wish for wish in wishes if wish.new in after.facts]
    tables = {
        (w.new.schema, w.new.name): w
        for w in due
        if w.new.kind == "table" and _is_due(w, w.old, w.new, before)
    }
    names: list[_Name] = []
    changes: list[Change] = []
    found: dict[tuple[str, str], dict[str, str]] = {key: {} for key in tables}
    for wish in sorted(due, key=lambda w: w.new):
        if wish.new.kind != "column":
            continue
        key = (wish.new.schema, wish.new.name)
        table = tables[key].old.name if key in tables else wish.new.name
        old, new = (ObjectId("column", wish.new.schema, table, id.part) for id in (wish.old, wish.new))
        if _is_due(wish, old, new, before):
            found.setdefault(key, {})[old.part] = new.part
    for key in sorted(found):
        schema, name = key
        old_name = tables[key].old.name if key in tables else name
        columns = found[key]
        if key in tables:
            names.append(_Name("table", old_name, name, schema, name))
            changes.append(Change("alter", ObjectId("table", schema, name), ("name",)))
        names += [_Name("column", old, new, schema, name) for old, new in sorted(columns.items())]
        changes += [
            Change("alter", ObjectId("column", schema, name, new), ("name",))
            for new in sorted(columns.values())
        ]
        names += _followers(
            ObjectId("table", schema, old_name), ObjectId("table", schema, name), columns, before, after
        )
    up = tuple(_statement(one, back=False) for one in names)
    down = tuple(_statement(one, back=True) for one in reversed(names))
    return Renames(up, down, tuple(changes))


def _is_due(wish: Wish, old: ObjectId, new: ObjectId, before: Snapshot) -> bool:
    """False when the old name is gone: done long ago. Refuses when both are there."""
    if old not in before.facts:
        return False
    if new in before.facts:
        raise Stalled(
            f"{wish.new} is declared as renamed from {wish.old}, but both exist",
            hint="take the renamed_from hint away, or remove one of them by hand",
            sources=(wish.source,) if wish.source else (),
        )
    return True


def _statement(one: _Name, *, back: bool) -> Statement:
    old, new = (one.new, one.old) if back else (one.old, one.new)
    reason = f"{one.what} {old} is called {new} {'again' if back else 'now'}"
    subject = (
        ObjectId("column", one.schema, one.table, one.new)
        if one.what == "column"
        else ObjectId("table", one.schema, one.table)
    )
    return Statement(_renamed(one.what, old, new, one.schema, one.table), reason, subject=subject)


def _followers(
    old: ObjectId, new: ObjectId, columns: Mapping[str, str], before: Snapshot, after: Snapshot
) -> list[_Name]:
    """Names made from old names whose counterpart, made from the new ones, is declared."""
    found = []
    for fact in sorted(before.facts.values(), key=lambda f: f.id):
        id = fact.id
        if id.kind == "constraint" and fact.parent == old and not fact["inherited"]:
            wanted = _follow(id.part, old.name, new.name, columns)
            if wanted != id.part and ObjectId("constraint", new.schema, new.name, wanted) in after.facts:
                found.append(_Name("constraint", id.part, wanted, new.schema, new.name))
        elif id.kind in ("index", "sequence") and id.schema == old.schema:
            belongs = fact.parent == old or (id.kind == "sequence" and _belongs(id, old, before))
            wanted = _follow(id.name, old.name, new.name, columns)
            if belongs and wanted != id.name and ObjectId(id.kind, new.schema, wanted) in after.facts:
                found.append(_Name(id.kind, id.name, wanted, new.schema, new.name))
        elif id.kind == "column" and fact.parent == old and fact["not_null"] is True and before.major >= 18:
            # Since 18 NOT NULL has a name, made from those of table and column (manual: CREATE TABLE, NOT NULL).
            column = columns.get(id.part, id.part)
            was, wanted = f"{old.name}_{id.part}_not_null"[:63], f"{new.name}_{column}_not_null"[:63]
            there = after.facts.get(ObjectId("column", new.schema, new.name, column))
            if was != wanted and there is not None and there["not_null"] is True:
                found.append(_Name("constraint", was, wanted, new.schema, new.name))
    return found


def _follow(name: str, old: str, new: str, columns: Mapping[str, str]) -> str:
    """`people_name_key` → `persons_full_name_key`, for the table people → persons and the column name → full_name."""
    if not name.startswith(f"{old}_"):
        return name
    rest = name[len(old) :]
    words = rest.split("_")
    for before, after in sorted(columns.items(), key=lambda pair: -len(pair[0])):
        size = len(before.split("_"))
        for at in range(len(words) - size):
            if words[at : at + size] == before.split("_"):
                words[at : at + size] = [after]
    rest = "_".join(words)
    return f"{new}{rest}"


def _belongs(sequence: ObjectId, table: ObjectId, side: Snapshot) -> bool:
    owned = side.facts.get(ObjectId("owned_by", sequence.schema, sequence.name))
    return owned is not None and (owned["schema"], owned["table"]) == (table.schema, table.name)


def _renamed(what: str, old: str, new: str, schema: str, owner: str) -> str:
    """One RENAME that does nothing when the old name is gone: none of them has an IF EXISTS for what it renames."""
    table = ident(schema, owner)
    if what == "table":
        old_path = ident(schema, old)
        condition = f"pg_catalog.to_regclass({literal(old_path)}) is not null"
        inner = f"alter table {old_path} rename to {ident(new)}"
    elif what in ("index", "sequence"):
        condition = f"pg_catalog.to_regclass({literal(ident(schema, old))}) is not null"
        inner = f"alter {what} {ident(schema, old)} rename to {ident(new)}"
    elif what == "column":
        condition = (
            f"exists (select from pg_catalog.pg_attribute where attrelid = pg_catalog.to_regclass({literal(table)})"
            f" and attname = {literal(old)} and not attisdropped)"
        )
        inner = f"alter table {table} rename column {ident(old)} to {ident(new)}"
    else:
        condition = (
            f"exists (select from pg_catalog.pg_constraint where conrelid = pg_catalog.to_regclass({literal(table)})"
            f" and conname = {literal(old)})"
        )
        inner = f"alter table {table} rename constraint {ident(old)} to {ident(new)}"
    return "do " + dollar(f"\nbegin\n  if {condition} then\n    {inner};\n  end if;\nend\n")
