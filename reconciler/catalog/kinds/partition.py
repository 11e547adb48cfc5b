"""That a table is a partition of another, and for which values (manual: ALTER TABLE … ATTACH PARTITION)."""

from __future__ import annotations

from reconciler.catalog.kinds import constraint, not_null
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import dollar, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_inherits",
        "c.oid",
        schema="n.nspname",
        name="c.relname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(
            of="i.inhparent::pg_catalog.regclass::text",
            bound="pg_catalog.pg_get_expr(c.relpartbound, c.oid)",
        ),
        source="pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace join"
        " pg_catalog.pg_inherits as i on i.inhrelid = c.oid where c.relispartition and c.relkind in ('r', 'p', 'f')"
        f" and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def tree(side: Snapshot, table: ObjectId) -> set[ObjectId]:
    """The table and all its partitions, at every depth."""
    found: set[ObjectId] = set()
    todo = [table]
    while todo:
        id = todo.pop()
        if id in found:
            continue
        found.add(id)
        todo += [
            ObjectId("table", user.schema, user.name)
            for user in side.dependents.get(id, ())
            if user.kind == "partition"
        ]
    return found


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(
        f"not {w.inherits(fact.id, fact['of'])}",
        f"alter table {fact['of']} attach partition {w.name(fact.id)} {fact['bound']}",
    )
    scan = Hazard(HazardCode.SCANS_UNDER_LOCK, f"Reads all of {fact.id} to see that its rows belong there.")
    doubt = Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a row of {fact.id} does not belong there.")
    found = [w.say(sql, f"{fact.id}: partition of {fact['of']} {fact['bound']}", fact.id, scan, doubt)]
    for part in context.after.children.get(fact.parent, ()) if fact.parent else ():
        if part.id.kind == "constraint" and part["type"] == "x" and part["inherited"]:
            # ATTACH takes over no exclusion constraint: it makes one of its own.
            found += constraint.dressed(part, context)
        if part.id.kind == "column":
            # A table that is attached has its parent's NOT NULL, and none of its own.
            found += not_null.kept(part, context)
    return found


def drop(fact: Fact, context: Context) -> list[Statement]:
    attached, detach = (
        w.inherits(fact.id, fact["of"]),
        f"alter table {fact['of']} detach partition {w.name(fact.id)}",
    )
    sql = _without_keys(fact, attached, detach, context) or w.guarded(attached, detach)
    doubts = [
        Hazard(
            HazardCode.DEPENDS_ON_DATA, f"Fails while a row of {w.name(key.id)} points to one of {fact.id}."
        )
        for key in _pointing(fact, context)
    ]
    said = w.say(sql, f"{fact.id}: no partition of {fact['of']}", fact.id, *doubts)
    return [said, *(constraint.left_behind(fact.parent, context) if fact.parent else ())]


def _pointing(fact: Fact, context: Context) -> list[Fact]:
    """The foreign keys that go on pointing to the table it was a part of."""
    known = constraint.pointers(context.before)
    tables = constraint.above(fact.id, context.before)
    return [key for above in tables for key in known.get(w.name(above), ()) if key.id in context.after.facts]


def _without_keys(fact: Fact, attached: str, detach: str, context: Context) -> str:
    """DETACH that does not leave its parents' foreign keys with a table that shall have none of them. They have names of
    PostgreSQL's choice (manual: ALTER TABLE, DETACH PARTITION)."""
    table = fact.parent
    if table is None or table.kind != "table" or table not in context.after.facts:
        return ""
    if w.keeps_parents(table, context) or not constraint.keys_above(table, context.before):
        return ""
    wanted = [
        f"({literal(key.id.part)}, {literal(key['definition'])})"
        for key in context.after.children.get(table, ())
        if key.id.kind == "constraint" and key["type"] == "f"
    ]
    kept = (
        f" and (conname, pg_catalog.pg_get_constraintdef(oid)) not in ({', '.join(wanted)})" if wanted else ""
    )
    name = w.name(fact.id)
    return "do " + dollar(
        "\ndeclare\n  path text := pg_catalog.current_setting('search_path');\n  own text[];\n  key text;\nbegin\n"
        f"  if {attached} then\n"
        "    perform pg_catalog.set_config('search_path', '', true);\n"
        "    own := array(select conname::text from pg_catalog.pg_constraint where contype = 'f' and conparentid <> 0 and conrelid ="
        f" {literal(name)}::pg_catalog.regclass{kept} and confrelid <> conrelid order by 1);\n"
        "    perform pg_catalog.set_config('search_path', path, true);\n"
        f"    {detach};\n"
        "    foreach key in array own loop\n"
        f"      execute {literal(f'alter table {name} drop constraint if exists ')} || pg_catalog.quote_ident(key);\n"
        "    end loop;\n"
        "  end if;\nend\n"
    )


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return None


KIND = Kind("partition", read, create, drop, alter)
