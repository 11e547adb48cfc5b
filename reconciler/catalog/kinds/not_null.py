"""NOT NULL of a column, which since 18 is a constraint with a name, and may be inherited or not yet valid.

The ordinary one is `true`, any other a name and what PostgreSQL prints of it (manual: ALTER TABLE, ADD table_constraint).
"""

from __future__ import annotations

from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Context
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import ident, literal


def said_later(fact: Fact) -> bool:
    """Since 18 a NOT NULL may be NOT VALID, which cannot be said where the column is made."""
    return isinstance(fact["not_null"], dict) and "NOT VALID" in fact["not_null"]["def"]


def added(fact: Fact) -> str:
    """ADD CONSTRAINT … NOT NULL, by name."""
    name, table = _name(fact), w.name(fact.id)
    condition = (
        f"not exists (select from pg_catalog.pg_constraint where conrelid = {literal(table)}"
        f"::pg_catalog.regclass and conname = {literal(name)})"
    )
    return w.guarded(condition, f"alter table {table} add constraint {ident(name)} {_printed(fact)}")


def put(fact: Fact, context: Context) -> str:
    """SET NOT NULL of an ordinary one, which is said by name where PostgreSQL would choose another."""
    if _name_taken(fact, context):
        return added(fact)
    foreign = "foreign " if fact.parent is not None and fact.parent.kind == "foreign_table" else ""
    return f"alter {foreign}table {w.name(fact.id)} alter column {ident(fact.id.part)} set not null"


def clause(fact: Fact, context: Context, *, named: bool = False) -> str:
    """As it stands after ADD COLUMN. `named` says the name PostgreSQL would choose too, if no partition had it still."""
    if not isinstance(fact["not_null"], dict):
        name = f"{fact.id.name}_{fact.id.part}_not_null"
        named = (named and len(name.encode()) < 64) or _name_taken(fact, context)
        return f"constraint {ident(name)} not null" if named else "not null"
    no_inherit = " no inherit" if "NO INHERIT" in fact["not_null"]["def"] else ""
    return f"constraint {ident(fact['not_null']['name'])} not null{no_inherit}"


def beside(fact: Fact, context: Context) -> str:
    """The table constraint that gives a column of a parent a NOT NULL of the table's own. Before 18 there is none."""
    own = context.major >= 18 and fact["not_null"] and not fact["not_null_given"] and not said_later(fact)
    return f"constraint {ident(_name(fact))} {_printed(fact)}" if own else ""


def _name_taken(fact: Fact, context: Context) -> bool:
    """Whether another constraint in the schema has the name PostgreSQL would give this one. Since 18 it has one."""
    return context.major >= 18 and (fact.id.schema, _name(fact)) in context.constraint_names


def changed(old: Fact, new: Fact, context: Context) -> list[Statement]:
    column = ident(new.id.part)
    foreign = "foreign " if new.parent is not None and new.parent.kind == "foreign_table" else ""
    action = f"alter {foreign}table {w.name(new.id)} alter column {column}"
    if old["not_null"] and new["not_null"] and _printed(old).removesuffix(" NOT VALID") == _printed(new):
        return _renamed_or_validated(old, new)
    found = []
    if old["not_null"] and (
        not new["not_null"] or isinstance(old["not_null"], dict) or isinstance(new["not_null"], dict)
    ):
        found.append(w.say(f"{action} drop not null", f"{new.id}: may be null", new.id))
    if new["not_null"]:
        fill = context.fills.get(new.id)
        hazards = []
        if fill is not None:
            sql = f"update {w.name(new.id)} set {column} = {fill} where {column} is null"
            found.append(w.say(sql, f"{new.id}: rows without a value get the declared one", new.id))
        elif not old["not_null"]:
            hazards.append(
                Hazard(
                    HazardCode.DEPENDS_ON_DATA, f"Fails while a row of {w.name(new.id)} has no {new.id.part}."
                )
            )
        if isinstance(new["not_null"], dict):
            found.append(
                w.say(
                    added(new), f"{new.id}: must have a value", new.id, *([] if said_later(new) else hazards)
                )
            )
            found += _valid_below(new, context) if said_later(new) else []
        else:
            hazards.append(
                Hazard(HazardCode.SCANS_UNDER_LOCK, f"Reads all of {w.name(new.id)} under an exclusive lock.")
            )
            found.append(w.say(put(new, context), f"{new.id}: must have a value", new.id, *hazards))
    return found


def _valid_below(new: Fact, context: Context) -> list[Statement]:
    """A child may know to be true of its rows what its parent has not looked at."""
    found = []
    for child in sorted(context.after.dependents.get(ObjectId("table", new.id.schema, new.id.name), ())):
        own = context.after.facts.get(ObjectId("column", child.schema, child.name, new.id.part))
        if child.kind in ("table", "partition") and own and own["not_null"] and not said_later(own):
            sql = f"alter table {w.name(child)} validate constraint {ident(_name(own))}"
            found.append(w.say(sql, f"{own.id}: every row has a value", own.id))
    return found


def follows(old: Fact, new: Fact) -> bool:
    """Whether a parent's NOT NULL comes and goes by itself (since 18 it is inherited as a constraint)."""
    return all(not fact["not_null"] or fact["not_null_given"] for fact in (old, new))


def apart(old: Fact, new: Fact, context: Context) -> bool:
    """Whether only a table without parents can be given this NOT NULL: by another name than theirs, which else go along, or as
    theirs alone where it was its own."""
    if context.major < 18 or not (old["not_null"] and new["not_null"]):
        return False
    ids = [ObjectId("column", t.schema, t.name, new.id.part) for t in w.parents(new.id, context.before)]
    if new["not_null_given"] and not old["not_null_given"]:
        return bool(ids)
    above = [(context.before.facts.get(id), context.after.facts.get(id)) for id in ids]
    if old["not_null"] == new["not_null"] or not any(was and was["not_null"] for was, _ in above):
        return False
    return not any(
        was and now and was["not_null"] and now["not_null"] and _renaming(was, now) == _renaming(old, new)
        for was, now in above
    )


def kept(fact: Fact, context: Context) -> list[Statement]:
    """What makes a NOT NULL that comes from a parent the table's own too, which outlives the parent's."""
    ids = [ObjectId("column", t.schema, t.name, fact.id.part) for t in w.parents(fact.id, context.after)]
    above = [context.after.facts[id] for id in ids if id in context.after.facts]
    if context.major < 18 or not fact["not_null"] or fact["not_null_given"]:
        return []
    if not any(parent["not_null"] for parent in above) or said_later(fact):
        return []
    sql = f"alter table {w.name(fact.id)} alter column {ident(fact.id.part)} set not null"
    return [w.say(sql, f"{fact.id}: must have a value, whatever becomes of its parent", fact.id)]


def _renaming(old: Fact, new: Fact) -> tuple[str, str]:
    return _name(old), _name(new)


def _name(fact: Fact) -> str:
    named = fact["not_null"]
    return str(named["name"]) if isinstance(named, dict) else f"{fact.id.name}_{fact.id.part}_not_null"[:63]


def _printed(fact: Fact) -> str:
    """The NOT NULL as PostgreSQL 18 prints it, without its name."""
    return (
        fact["not_null"]["def"] if isinstance(fact["not_null"], dict) else f"NOT NULL {ident(fact.id.part)}"
    )


def _renamed_or_validated(old: Fact, new: Fact) -> list[Statement]:
    before, after = _renaming(old, new)
    table = w.name(new.id)
    found = []
    if before != after:
        condition = (
            f"exists (select from pg_catalog.pg_constraint where conrelid = {literal(table)}::pg_catalog.regclass"
            f" and contype = 'n' and conname = {literal(before)})"
        )
        sql = w.guarded(condition, f"alter table {table} rename constraint {ident(before)} to {ident(after)}")
        found.append(w.say(sql, f"{new.id}: name of its not null", new.id))
    if said_later(old) and not said_later(new):
        doubt = Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a row of {table} has no {new.id.part}.")
        sql = f"alter table {table} validate constraint {ident(after)}"
        found.append(w.say(sql, f"{new.id}: every row has a value", new.id, doubt))
    return found
