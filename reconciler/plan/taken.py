"""Drops that must not meet their successor.

When a view takes the name of a dropped table, running `drop table if exists` again is an error: PostgreSQL finds the name and
it is no table. And a type that was made anew cannot go again when a new table has columns of it. Knows which classes of objects
share names; promises a guard exactly where the name goes on living, or where something new stands already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, Snapshot, Statement
from reconciler.pg import literal
from reconciler.plan.precedence import Name, names

_RELKIND = {
    "table": "'r', 'p'", "view": "'v'", "materialized_view": "'m'", "index": "'i', 'I'", "sequence": "'S'",
    "composite": "'c'", "foreign_table": "'f'",
}  # fmt: skip
_TYPTYPE = {"enum": "'e'", "domain": "'d'", "range": "'r'"}
_PROKIND = {"function": "'f', 'w'", "procedure": "'p'", "aggregate": "'a'"}


def bearers(after: Snapshot) -> frozenset[Name]:
    """All names in use afterwards."""
    return frozenset(name for fact in after.facts.values() for name in names(fact))


def unless_taken(statements: list[Statement], fact: Fact, taken: frozenset[Name]) -> list[Statement]:
    """The statements that drop `fact`, guarded when another object bears its name afterwards."""
    condition = _condition(fact) if names(fact) & taken else ""
    return [replace(s, sql=w.guarded(condition, s.sql)) if condition else s for s in statements]


def unless_there(statement: Statement, users: Iterable[Fact]) -> Statement:
    """The statement, guarded so that it does nothing once one of these objects is there."""
    conditions = [condition for user in users if (condition := _there(user))]
    if not conditions:
        return statement
    return replace(statement, sql=w.guarded(f"not ({' or '.join(conditions)})", statement.sql))


def _there(fact: Fact) -> str:
    """The condition that it is there, as it will be."""
    name = literal(w.name(fact.id))
    if fact.id.kind == "column" and fact.parent is not None:
        return (
            "exists (select from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid where"
            f" a.attrelid = pg_catalog.to_regclass({name}) and a.attname = {literal(fact.id.part)} and not a.attisdropped"
            f" and c.relkind in ({_RELKIND[fact.parent.kind]}) and a.atttypid = pg_catalog.to_regtype({literal(fact['type'])})"
            f"{_sorted_by('a.attcollation', fact)})"
        )
    if fact.id.kind == "domain":
        return (
            f"exists (select from pg_catalog.pg_type as t where t.oid = pg_catalog.to_regtype({name}) and t.typtype = 'd'"
            f" and t.typbasetype = pg_catalog.to_regtype({literal(fact['type'])}){_sorted_by('t.typcollation', fact)})"
        )
    return _condition(fact)


def _sorted_by(column: str, fact: Fact) -> str:
    """Further, that it has this collation; to_regcollation() does not mind one that is missing."""
    if not fact["collation"]:
        return ""
    return f" and {column} = pg_catalog.to_regcollation({literal(fact['collation'])})"


def _condition(fact: Fact) -> str:
    kind, name = fact.id.kind, w.name(fact.id)
    if kind in _PROKIND:
        reference = literal(w.routine(fact.id))
        return (
            f"exists (select from pg_catalog.pg_proc where oid = pg_catalog.to_regprocedure({reference})"
            f" and prokind in ({_PROKIND[kind]}))"
        )
    if kind in _TYPTYPE:
        return (
            f"exists (select from pg_catalog.pg_type where oid = pg_catalog.to_regtype({literal(name)})"
            f" and typtype in ({_TYPTYPE[kind]}))"
        )
    if kind not in _RELKIND:
        return ""
    more = ""
    if kind == "index":  # behind a constraint of that name now
        more = " and not exists (select from pg_catalog.pg_constraint where conindid = c.oid)"
    if kind == "sequence":  # behind an identity column of that name now
        more = " and not exists (select from pg_catalog.pg_depend where objid = c.oid and deptype = 'i')"
    return (
        f"exists (select from pg_catalog.pg_class as c where c.oid = pg_catalog.to_regclass({literal(name)})"
        f" and c.relkind in ({_RELKIND[kind]}){more})"
    )
