"""Identity columns: what makes one, and what changes it in place (manual: ALTER TABLE … ADD GENERATED AS IDENTITY)."""

from __future__ import annotations

from reconciler.catalog.kinds import sequence
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Context
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def reading(what: str) -> str:
    """SQL for something of the sequence behind an identity column: `s` is its row in pg_sequence, `q` in pg_class."""
    return (
        f"case when a.attidentity <> '' then (select {what} from pg_catalog.pg_depend as i"
        " join pg_catalog.pg_sequence as s on s.seqrelid = i.objid join pg_catalog.pg_class as q on"
        " q.oid = i.objid where i.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and i.refobjid ="
        " a.attrelid and i.refobjsubid = a.attnum and i.deptype = 'i' and i.classid ="
        " 'pg_catalog.pg_class'::pg_catalog.regclass) end"
    )


def counter(fact: Fact) -> str:
    """The name of the sequence."""
    return fact["identity"].get("sequence") or f"{fact.id.name}_{fact.id.part}_seq"[:63]


def dressed(of: Fact, context: Context) -> list[Statement]:
    """Grants on a new one (default privileges may be at work on it) and its comment. The table's owner has it."""
    found = w.granted_afresh(of, context, "sequence", f"sequence {w.name(of.id)}")
    if of["comment"] is not None:
        found.append(w.commented(of, f"sequence {w.name(of.id)}"))
    return found


def redressed(old: Fact, new: Fact, context: Context) -> list[Statement]:
    same_owner = Fact(old.id, {**old.attributes, "owner": new["owner"]}, "")
    return w.redressed(same_owner, new, context, f"sequence {w.name(new.id)}", "sequence")


def found(column: Fact) -> str:
    """SQL that finds the sequence, whatever it is called."""
    return f"pg_catalog.pg_get_serial_sequence({literal(w.name(column.id))}, {literal(column.id.part)})"


def after_the_last(column: Fact) -> str:
    """Inside a DO block: the numbering goes on after the last value that is there."""
    step, name = int(column["identity"]["increment"]), ident(column.id.part)
    peak = f"max({name})" if step > 0 else f"min({name})"
    return (
        f"perform pg_catalog.setval({found(column)}, {peak} + {step}, false) from {w.name(column.id)}"
        f" having {peak} is not null"
    )


def clause(fact: Fact) -> str:
    options = fact["identity"]
    clauses = sequence.settings({**options, "type": "bigint"} | _typed_limits(options))
    named = [f"sequence name {ident(fact.id.schema, options['sequence'])}"] if options.get("sequence") else []
    inner = " ".join([*named, *clauses.values()])
    mode = "always" if options["always"] else "by default"
    return f"generated {mode} as identity" + (f" ({inner})" if inner else "")


def _typed_limits(options: dict[str, str]) -> dict[str, str]:
    """The column's type gives the sequence its type, so limits equal to that type's own go without saying."""
    limit = sequence.LIMITS[options["type"]]
    big = sequence.LIMITS["bigint"]
    found = {}
    if int(options["max"]) == limit - 1:
        found["max"] = str(big - 1)
    if int(options["min"]) == -limit:
        found["min"] = str(-big)
        if options["start"] == options["min"]:
            found["start"] = found["min"]
    return found


def narrows(old: Fact, new: Fact) -> bool:
    limits = [sequence.LIMITS[fact["identity"]["type"]] if fact["identity"] else 0 for fact in (old, new)]
    return 0 < limits[1] < limits[0]


def _own_limits(options: sequence.Options) -> bool:
    limit = sequence.LIMITS[str(options["type"])]
    return int(options["max"]) == limit - 1 and int(options["min"]) in (1, -limit)


def changed(old: Fact, new: Fact) -> list[Statement]:
    column, table = ident(new.id.part), w.name(new.id)
    if not old["identity"]:
        condition = (
            "exists (select from pg_catalog.pg_attribute where attrelid ="
            f" {literal(table)}::pg_catalog.regclass and attname = {literal(new.id.part)} and attidentity = '')"
        )
        add = f"alter table {table} alter column {column} add {clause(new)}"
        sql = w.guarded(condition, add, after_the_last(new))
        return [w.say(sql, f"{new.id}: numbered from after its last value", new.id)]
    clauses = []
    if old["identity"]["always"] != new["identity"]["always"]:
        clauses.append("set generated " + ("always" if new["identity"]["always"] else "by default"))
    options = [c for c in sequence.changes(old["identity"], new["identity"]) if not c.startswith("as ")]
    if _own_limits(old["identity"]) and _own_limits(new["identity"]) and int(new["identity"]["min"]) == 1:
        # Limits that are the type's own move with the type of the column.
        options = [clause for clause in options if not clause.startswith(("minvalue", "maxvalue"))]
    alter = f"alter table {table} alter column {column}"
    found = []
    if clauses:
        found.append(
            w.say(f"{alter} {clauses[0]}", f"{new.id}: identity {clauses[0].removeprefix('set ')}", new.id)
        )
    if options:
        name = ident(new.id.schema, counter(old))
        sql = sequence.altered(name, alter, options, old["identity"], new["identity"], "set ")
        found.append(w.say(sql, f"{new.id}: identity options", new.id))
    if old["identity"].get("sequence") != new["identity"].get("sequence"):
        names = [ident(counter(f)) for f in (old, new)]
        found.append(
            w.say(
                w.guarded(
                    w.missing("to_regclass", ident(new.id.schema) + "." + names[1]),
                    f"alter sequence {ident(new.id.schema)}.{names[0]} rename to {names[1]}",
                ),
                f"{new.id}: name of its sequence",
                new.id,
            )
        )
    return found
