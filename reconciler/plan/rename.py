"""Renames that were declared: the object keeps its rows, its indexes and its rights, and changes only its name.

PostgreSQL leaves the names of constraints, indexes and sequences as they are when their table is renamed; where the declaration
expects names made from the new one, they follow. Promises to do nothing once the old name is gone, and to refuse when both
names exist.
"""

from __future__ import annotations

from collections.abc import Iterable
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


def renames(wishes: Iterable[Wish], before: Snapshot, after: Snapshot) -> Renames:
    """What has to be renamed in `before` on the way to `after`. Tables first, then their columns."""
    up: list[Statement] = []
    down: list[Statement] = []
    changes: list[Change] = []
    tables: dict[tuple[str, str], ObjectId] = {}
    for wish in sorted(wishes, key=lambda w: (w.old.kind != "table", w.new)):
        here = wish.old
        if here.kind == "column":
            table = tables.get((wish.new.schema, wish.new.name))
            here = ObjectId("column", here.schema, table.name if table else here.name, here.part)
        if here not in before.facts or wish.new not in after.facts:
            continue  # done long ago, or the object is gone altogether
        target = (
            ObjectId(wish.new.kind, here.schema, here.name, wish.new.part)
            if here.kind == "column"
            else wish.new
        )
        if target in before.facts:
            raise Stalled(
                f"{wish.new} is declared as renamed from {wish.old}, but both exist",
                hint="take the renamed_from hint away, or remove one of them by hand",
                sources=(wish.source,) if wish.source else (),
            )
        if wish.new.kind == "table":
            tables[(wish.new.schema, wish.new.name)] = here
            pairs = [
                ("table", here.name, wish.new.name, here.schema, wish.new.name),
                *_followers(here, wish.new, before, after),
            ]
        else:
            pairs = [("column", here.part, wish.new.part, wish.new.schema, wish.new.name)]
        for what, old, new, schema, owner in pairs:
            reason = f"{what} {old} is called {new} now"
            up.append(Statement(_renamed(what, old, new, schema, owner), reason, subject=wish.new))
        for what, old, new, schema, owner in reversed(pairs):
            back = here.name if what == "table" else owner
            reason = f"{what} {new} gets its old name {old} back"
            down.insert(0, Statement(_renamed(what, new, old, schema, back), reason, subject=wish.new))
        changes.append(Change("alter", wish.new, ("name",)))
    return Renames(tuple(up), tuple(_tables_last(down)), tuple(changes))


def _tables_last(statements: list[Statement]) -> list[Statement]:
    """On the way back columns are renamed under the new name of their table, so tables go last."""
    return sorted(statements, key=lambda s: s.subject is not None and s.subject.kind == "table")


def _followers(
    old: ObjectId, new: ObjectId, before: Snapshot, after: Snapshot
) -> list[tuple[str, str, str, str, str]]:
    """Names made from the table's old name whose counterpart, made from the new one, is declared."""
    found = []
    for fact in sorted(before.facts.values(), key=lambda f: f.id):
        id = fact.id
        if id.kind == "constraint" and fact.parent == old and not fact["inherited"]:
            name, kind = id.part, "constraint"
            wanted = _follow(name, old.name, new.name)
            if wanted and ObjectId("constraint", new.schema, new.name, wanted) in after.facts:
                found.append((kind, name, wanted, new.schema, new.name))
        elif id.kind in ("index", "sequence") and id.schema == old.schema:
            owned = fact.parent == old or (id.kind == "sequence" and _belongs(id, old, before))
            wanted = _follow(id.name, old.name, new.name)
            if owned and wanted and ObjectId(id.kind, new.schema, wanted) in after.facts:
                found.append((id.kind, id.name, wanted, new.schema, new.name))
    return found


def _follow(name: str, old: str, new: str) -> str:
    return f"{new}{name[len(old) :]}" if name.startswith(f"{old}_") else ""


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
