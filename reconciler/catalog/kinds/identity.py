"""Identity columns: what makes one, and what changes it in place (manual: ALTER TABLE … ADD GENERATED AS IDENTITY)."""

from __future__ import annotations

from reconciler.catalog.kinds import sequence
from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


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
        step = int(new["identity"]["increment"])
        peak = f"max({column})" if step > 0 else f"min({column})"
        go_on = (
            f"perform pg_catalog.setval(pg_catalog.pg_get_serial_sequence({literal(table)}, {literal(new.id.part)}),"
            f" {peak} + {step}, false) from {table} having {peak} is not null"
        )
        return [
            w.say(w.guarded(condition, add, go_on), f"{new.id}: numbered from after its last value", new.id)
        ]
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
        counter = ident(
            new.id.schema, old["identity"].get("sequence") or f"{new.id.name}_{new.id.part}_seq"[:63]
        )
        sql = sequence.altered(counter, alter, options, old["identity"], new["identity"], "set ")
        found.append(w.say(sql, f"{new.id}: identity options", new.id))
    if old["identity"].get("sequence") != new["identity"].get("sequence"):
        default = f"{new.id.name}_{new.id.part}_seq"[:63]
        names = [ident(f["identity"].get("sequence") or default) for f in (old, new)]
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
