"""Which column a sequence belongs to and disappears with (manual: ALTER SEQUENCE … OWNED BY)."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, ObjectId, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_sequence",
        "c.oid",
        schema="n.nspname",
        name="c.relname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(schema="tn.nspname", table="t.relname", column="a.attname"),
        source="pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
        " join pg_catalog.pg_depend as d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid"
        " and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype = 'a'"
        " join pg_catalog.pg_class as t on t.oid = d.refobjid join pg_catalog.pg_namespace as tn on"
        " tn.oid = t.relnamespace join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum = d.refobjsubid"
        f" where c.relkind = 'S' and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


_COUNTING = frozenset({"smallint", "integer", "bigint", "numeric"})
"""Types of columns whose values a sequence can go on after."""


def _owner(fact: Fact) -> str:
    return ident(fact["schema"], fact["table"], fact["column"])


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = f"alter sequence {w.name(fact.id)} owned by {_owner(fact)}"
    found = [w.say(sql, f"{fact.id}: goes with its column", fact.id)]
    column = ObjectId("column", fact["schema"], fact["table"], fact["column"])
    sequence = context.after.facts.get(fact.parent) if fact.parent else None
    counts = column in context.after.facts and context.after.facts[column]["type"] in _COUNTING
    if (
        counts
        and sequence is not None
        and fact.parent not in context.before.facts
        and column in context.before.facts
    ):
        found.append(_continued(fact, down=int(sequence["options"]["increment"]) < 0))
    return found


def _continued(fact: Fact, *, down: bool) -> Statement:
    """A new sequence on a column with rows goes on after them, and never backwards."""
    last, beyond = ("min", "<=") if down else ("max", ">=")
    value = f"{last}({ident(fact['column'])})::bigint"
    sql = (
        f"select pg_catalog.setval({literal(w.name(fact.id))}, {value}) from {ident(fact['schema'], fact['table'])}"
        f" having {value} {beyond} (select last_value from {w.name(fact.id)})"
    )
    return w.say(sql, f"{fact.id}: goes on after the last value of its column", fact.id)


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"alter sequence if exists {w.name(fact.id)} owned by none"
    return [w.say(sql, f"{fact.id}: stands alone", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    sequences = [
        side.facts.get(new.parent) if new.parent else None for side in (context.before, context.after)
    ]
    if table(old) != table(new) and len({sequence["owner"] for sequence in sequences if sequence}) > 1:
        return None  # it gets its new owner while it belongs to no table
    return Alteration(tuple(create(new, context, ())))


def table(fact: Fact) -> ObjectId:
    """The table it belongs to, whose owner is the sequence's (manual: ALTER SEQUENCE, OWNED BY)."""
    return ObjectId("table", fact["schema"], fact["table"])


KIND = Kind("owned_by", read, create, drop, alter)
