"""Constraints of tables: check, unique, primary key, foreign key, exclusion (manual: CREATE TABLE).

The index behind a key belongs to the constraint and is not a fact of its own. NOT NULL belongs to its column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import ident, literal

_POINTS = re.compile(r' REFERENCES ((?:"(?:[^"]|"")+"|[^\s("])+)\(')
NAMES = {"c": "check", "f": "foreign key", "p": "primary key", "u": "unique", "x": "exclusion"}


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_constraint",
        "k.oid",
        schema="n.nspname",
        name="c.relname",
        part="k.conname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(
            type="k.contype",
            definition="pg_catalog.pg_get_constraintdef(k.oid)",
            inherited="case when not k.conislocal or k.conparentid <> 0 then true end",
            foreign="case when c.relkind = 'f' then true end",
            options="case when ic.reloptions is not null then (select pg_catalog.jsonb_agg(o order by o) from"
            " pg_catalog.unnest(ic.reloptions) as o) end",
            tablespace="(select s.spcname from pg_catalog.pg_tablespace as s where s.oid = ic.reltablespace)",
            comment=r.comment("pg_constraint", "k.oid"),
            index_comment="case when x.indexrelid is not null then "
            + r.comment("pg_class", "k.conindid")
            + " end",
        ),
        source="pg_catalog.pg_constraint as k join pg_catalog.pg_class as c on c.oid = k.conrelid join"
        " pg_catalog.pg_namespace as n on n.oid = c.relnamespace left join pg_catalog.pg_index as x on"
        " k.contype in ('p', 'u', 'x') and x.indexrelid = k.conindid left join pg_catalog.pg_class as ic on"
        " ic.oid = x.indexrelid"
        # The copies of a foreign key, one per partition on either side, belong to it.
        " where k.contype in ('c', 'f', 'p', 'u', 'x') and not (k.contype = 'f' and k.conparentid <> 0) and"
        f" {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def definition(fact: Fact) -> str:
    """The constraint as it stands inside CREATE TABLE or after ADD."""
    text: str = fact["definition"]
    tail = ""
    if fact["options"]:
        tail += f" with ({w.options(fact['options'])})"
    if fact["tablespace"]:
        tail += f" using index tablespace {ident(fact['tablespace'])}"
    if tail:
        # Storage parameters stand after the columns and before WHERE and DEFERRABLE (manual: index_parameters).
        cut = min((i for i in (text.find(" WHERE ("), text.find(" DEFERRABLE")) if i >= 0), default=len(text))
        text = text[:cut] + tail + text[cut:]
    return f"constraint {ident(fact.id.part)} {text}"


def _noun(fact: Fact) -> str:
    return f"constraint {ident(fact.id.part)} on {w.name(fact.id)}"


def _table(fact: Fact, guard: str = "") -> str:
    return f"{'foreign ' if fact['foreign'] else ''}table{guard} {w.name(fact.id)}"


def dressed(fact: Fact, context: Context) -> list[Statement]:
    found = []
    if fact["comment"] is not None:
        found.append(w.commented(fact, _noun(fact)))
    if fact["index_comment"] is not None:
        found.append(_index_commented(fact))
    return found


def _index_commented(fact: Fact) -> Statement:
    text = fact["index_comment"]
    value = "null" if text is None else literal(text)
    return w.say(
        f"comment on index {ident(fact.id.schema, fact.id.part)} is {value}",
        f"{fact.id}: comment of its index",
        fact.id,
    )


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    if fact["inherited"] and not (fact["type"] == "c" and w.becomes_partition(fact, context)):
        return []
    condition = (
        f"not exists (select from pg_catalog.pg_constraint where conrelid = {literal(w.name(fact.id))}"
        f"::pg_catalog.regclass and conname = {literal(fact.id.part)})"
    )
    sql = w.guarded(condition, f"alter {_table(fact)} add {definition(fact)}")
    found = [_made_way(fact)] if _may_be_copied(fact, context) else []
    kind = NAMES[fact["type"]]
    hazards = []
    if "NOT VALID" not in fact["definition"]:
        hazards.append(
            Hazard(
                HazardCode.DEPENDS_ON_DATA, f"Fails while a row of {w.name(fact.id)} breaks {fact.id.part}."
            )
        )
        hazards.append(
            Hazard(HazardCode.SCANS_UNDER_LOCK, f"Reads all of {w.name(fact.id)} while writes wait.")
        )
    return [*found, w.say(sql, f"new {kind} {fact.id}", fact.id, *hazards), *dressed(fact, context)]


def keys_above(table: ObjectId, side: Snapshot) -> list[Fact]:
    """The foreign keys of the tables that this one is a partition of, at every height. It has copies of them, which are no
    facts of their own."""
    found: list[Fact] = []
    for parent in above(table, side):
        found += [part for part in side.children.get(parent, ()) if part["type"] == "f"]
    return found


def above(part: ObjectId, side: Snapshot) -> list[ObjectId]:
    """The tables that the table of this object is a child or a partition of, at every height."""
    found: list[ObjectId] = []
    todo = w.parents(part, side)
    while todo:
        found.append(todo.pop())
        todo += w.parents(found[-1], side)
    return found


def pointers(side: Snapshot) -> Mapping[str, list[Fact]]:
    """The foreign keys by the tables they point to, which are named as in SQL."""
    found: dict[str, list[Fact]] = {}
    for key in side.by_kind.get("constraint", ()):
        target = _POINTS.search(key["definition"]) if key["type"] == "f" else None
        if target is not None:
            found.setdefault(target[1], []).append(key)
    return found


def _may_be_copied(fact: Fact, context: Context) -> bool:
    """Whether PostgreSQL can have given this name to the copy of a foreign key: in a partition, or for each partition that
    a key of the table points to."""
    table = ObjectId("table", fact.id.schema, fact.id.name)
    for side in (context.before, context.after):
        whole = side.facts.get(table)
        keys = side.children.get(table, ()) if whole is not None and whole["partition_by"] else ()
        if keys_above(table, side) or any(key["type"] == "f" and key.id != fact.id for key in keys):
            return True
    return False


def _made_way(fact: Fact) -> Statement:
    """The copy of a foreign key gives up its name, which is PostgreSQL's choice and nobody's wish."""
    table, name = w.name(fact.id), fact.id.part
    condition = (
        f"exists (select from pg_catalog.pg_constraint where conrelid = {literal(table)}::pg_catalog.regclass"
        f" and conname = {literal(name)} and contype = 'f' and conparentid <> 0)"
    )
    sql = w.guarded(
        condition, f"alter table {table} rename constraint {ident(name)} to {ident(name[:50] + '__copied')}"
    )
    return w.say(sql, f"{fact.id}: the copy of another foreign key has this name", fact.id)


def drop(fact: Fact, context: Context) -> list[Statement]:
    if fact["inherited"]:
        return []
    new = context.after.facts.get(fact.id)
    # The second time its parent's has its name, and goes with that alone.
    taken = bool(new is not None and new["inherited"]) or _may_be_copied(fact, context)
    return [_dropped(fact, only_own=taken or _merged(fact, context.before))]


def _merged(fact: Fact, side: Snapshot) -> bool:
    """Whether it is a parent's check too, with which it goes, or which it outlives when the table leaves that parent."""
    above = (side.facts.get(fact.id._replace(schema=t.schema, name=t.name)) for t in w.parents(fact.id, side))
    return fact["type"] == "c" and any(other is not None and other["type"] == "c" for other in above)


def _dropped(fact: Fact, *, only_own: bool) -> Statement:
    sql = f"alter {_table(fact, ' if exists')} drop constraint if exists {ident(fact.id.part)}"
    if only_own:
        own = (
            "exists (select from pg_catalog.pg_constraint where conrelid ="
            f" pg_catalog.to_regclass({literal(w.name(fact.id))}) and conname = {literal(fact.id.part)}"
            " and conislocal and coninhcount = 0)"
        )
        sql = w.guarded(own, sql)
    return w.say(sql, f"{NAMES[fact['type']]} {fact.id}: no longer declared", fact.id)


def left_behind(table: ObjectId, context: Context) -> list[Statement]:
    """What a table keeps of its parents' constraints when it leaves them, and shall not have."""
    if table not in context.after.facts or w.keeps_parents(table, context):
        return []
    found = []
    for part in context.before.children.get(table, ()):
        if part.id.kind != "constraint" or not (part["inherited"] or _merged(part, context.before)):
            continue
        new = context.after.facts.get(part.id)
        if new is None or new["definition"] != part["definition"]:
            found.append(_dropped(part, only_own=True))
    return found


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    before, after = old["definition"], new["definition"]
    keys = ("type", "options", "tablespace", "inherited")
    if any(old[key] != new[key] for key in keys):
        return None
    found = []
    if before != after:
        if before == f"{after} NOT VALID":
            sql = f"alter {_table(new)} validate constraint {ident(new.id.part)}"
            doubt = Hazard(
                HazardCode.DEPENDS_ON_DATA, f"Fails while a row of {w.name(new.id)} breaks {new.id.part}."
            )
            found.append(w.say(sql, f"{new.id}: holds for the old rows too", new.id, doubt))
        elif new["type"] == "f" and _without_timing(before) == _without_timing(after):
            timing = after[len(_without_timing(after)) :].strip().lower() or "not deferrable"
            sql = f"alter table {w.name(new.id)} alter constraint {ident(new.id.part)} {timing}"
            found.append(w.say(sql, f"{new.id}: {timing}", new.id))
        else:
            return None
    if old["comment"] != new["comment"]:
        found.append(w.commented(new, _noun(new)))
    if old["index_comment"] != new["index_comment"]:
        found.append(_index_commented(new))
    return Alteration(tuple(found))


def _without_timing(definition: str) -> str:
    for words in (" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"):
        definition = definition.removesuffix(words)
    return definition


def _inline(fact: Fact) -> bool:
    """Inside CREATE TABLE a constraint is taken for valid, whatever it says (manual: ALTER TABLE, NOT VALID)."""
    return not fact["definition"].endswith(" NOT VALID")


KIND = Kind("constraint", read, create, drop, alter, inline=_inline)
