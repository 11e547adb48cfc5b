"""Indexes that stand by themselves (manual: CREATE INDEX). One behind a constraint belongs to the constraint.

An index that an interrupted CREATE INDEX CONCURRENTLY left invalid is a difference, and is made again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal

_HEAD = re.compile(r"CREATE (UNIQUE )?INDEX ")


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_class",
        "i.oid",
        schema="n.nspname",
        name="i.relname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(
            table="c.oid::pg_catalog.regclass::text",
            definition="pg_catalog.pg_get_indexdef(i.oid)",
            # Indexes of a partitioned table are invalid until every partition has one: not damage, but a state.
            invalid="case when not x.indisvalid and i.relkind = 'i' then true end",
            incomplete="case when not x.indisvalid and i.relkind = 'I' then true end",
            part_of="(select h.inhparent::pg_catalog.regclass::text from pg_catalog.pg_inherits as h"
            " where h.inhrelid = i.oid)",
            # Of expressions alone (manual: ALTER INDEX, SET STATISTICS).
            statistics="case when x.indexprs is not null then (select pg_catalog.jsonb_object_agg(a.attnum,"
            " a.attstattarget) from pg_catalog.pg_attribute as a where a.attrelid = i.oid and a.attstattarget >= 0) end",
            tablespace="(select s.spcname from pg_catalog.pg_tablespace as s where s.oid = i.reltablespace)",
            comment=r.comment("pg_class", "i.oid"),
            extensions=r.extensions("pg_class", "i.oid"),
        ),
        source="pg_catalog.pg_index as x join pg_catalog.pg_class as i on i.oid = x.indexrelid join"
        " pg_catalog.pg_class as c on c.oid = x.indrelid join pg_catalog.pg_namespace as n on n.oid = i.relnamespace"
        f" where c.relkind in ('r', 'p', 'm') and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')} and not"
        " exists (select from pg_catalog.pg_constraint as k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))",
    )


def _noun(fact: Fact) -> str:
    return f"index {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    head = _HEAD.match(fact["definition"])
    if head is None:
        raise ValueError(f"pg_get_indexdef printed something new: {fact['definition']}")
    unique = "unique " if head[1] else ""
    rest = fact["definition"][head.end() :]
    if fact["tablespace"]:
        cut = rest.find(" WHERE ")
        space = f" tablespace {ident(fact['tablespace'])}"
        rest = rest + space if cut < 0 else rest[:cut] + space + rest[cut:]
    waits = Hazard(
        HazardCode.BLOCKS_WRITES, f"Writes to {fact['table']} wait while index {fact.id} is built."
    )
    hazards = [waits]
    if unique:
        hazards.append(
            Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while two rows of {fact['table']} share the key.")
        )
    found = [w.say(f"create {unique}index if not exists {rest}", f"new index {fact.id}", fact.id, *hazards)]
    return found + _finished(None, fact)


def _finished(old: Fact | None, new: Fact) -> list[Statement]:
    found = []
    if new["part_of"] and (old is None or old["part_of"] != new["part_of"]):
        # The index of a table that is attached later is found, and attached, then (manual: ALTER TABLE, ATTACH PARTITION).
        attached = (
            "exists (select from pg_catalog.pg_inherits as i join pg_catalog.pg_index as x on x.indrelid = i.inhrelid where"
            f" x.indexrelid = {literal(w.name(new.id))}::pg_catalog.regclass)"
        )
        sql = w.guarded(attached, f"alter index {new['part_of']} attach partition {w.name(new.id)}")
        found.append(w.say(sql, f"{new.id}: part of {new['part_of']}", new.id))
    found += _counted((old["statistics"] if old else None) or {}, new)
    if (old["comment"] if old else None) != new["comment"]:
        found.append(w.commented(new, _noun(new)))
    return found + w.tied(old, new, _noun(new))


def _counted(before: Mapping[str, int], new: Fact) -> list[Statement]:
    """How much is remembered of its expressions. ALTER INDEX would say it of all parts of an index, too."""
    found = []
    noun = f"table only {w.name(new.id)}" if " ON ONLY " in new["definition"] else _noun(new)
    for number, target in sorted((new["statistics"] or {}).items(), key=lambda pair: int(pair[0])):
        if before.get(number) != target:
            sql = f"alter {noun} alter column {number} set statistics {target}"
            found.append(w.say(sql, f"{new.id}: statistics target", new.id))
    for number in sorted(set(before) - set(new["statistics"] or {}), key=int):
        sql = f"alter {noun} alter column {number} set statistics -1"
        found.append(w.say(sql, f"{new.id}: statistics target back to default", new.id))
    return found


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop index if exists {w.name(fact.id)}"
    after = context.after.facts.get(fact.id)
    if fact["part_of"] or (after is not None and after["part_of"]):
        # It goes with the index it is a part of, or with its table; but it stays with a table that is taken off.
        there = f"pg_catalog.to_regclass({literal(w.name(fact.id))})"
        alone = (
            f"exists (select from pg_catalog.pg_class as c where c.oid = {there} and not c.relispartition)"
        )
        sql = w.guarded(alone, sql)
    return [w.say(sql, f"index {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    keys = ("table", "definition", "invalid", "tablespace")
    if any(old[key] != new[key] for key in keys) or (old["part_of"] and old["part_of"] != new["part_of"]):
        return None
    if not new["part_of"] and _lacks_otherwise(new, context):
        return None
    return Alteration(tuple(_finished(old, new)))


def _lacks_otherwise(new: Fact, context: Context) -> bool:
    """Whether it, or a part of it, would not lack the right parts when partitions have come and gone. PostgreSQL gives an
    index a part in every partition that is attached, and looks whether all are there only when one is."""
    before, after = context.before, context.after
    old = before.facts.get(new.id)
    if old is None or new.parent is None:
        return False
    had, has = (
        {u: s.facts[u]["of"] for u in s.dependents.get(table, ()) if u.kind == "partition"}
        for s, table in ((before, new.parent), (after, new.parent))
    )
    parts = [user for user in after.dependents.get(new.id, ()) if user.kind == "index"]
    if new["incomplete"]:
        anew = not old["incomplete"] or not has.items() <= had.items()
    else:
        attached = any(new.id not in before.edges.get(part, frozenset()) for part in parts)
        anew = bool(old["incomplete"]) and (not attached or not had.items() <= has.items())
    return anew or any(_lacks_otherwise(after.facts[part], context) for part in parts)


def forgotten(fact: Fact, context: Context) -> list[Statement]:
    """Its comment stays."""
    return [*_counted({}, fact), *w.tied(None, fact, _noun(fact))]


KIND = Kind("index", read, create, drop, alter, forgotten=forgotten)
