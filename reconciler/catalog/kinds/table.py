"""Tables and partitioned tables (manual: CREATE TABLE, ALTER TABLE).

Columns, defaults, constraints, indexes, triggers and policies are facts of their own. A new table is written with the
columns, defaults and constraints that may stand inside its CREATE; a partition is made as a table and then attached, so
that nothing is renamed on the way.
"""

from __future__ import annotations

import re

from reconciler.catalog.kinds import carrying, column, constraint, not_null
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_class",
        "c.oid",
        schema="n.nspname",
        name="c.relname",
        attributes=r.attributes(
            **r.common("pg_class", "c", "rel", "r"),
            persistence="nullif(c.relpersistence, 'p')",
            partition_by="case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end",
            partition="nullif(c.relispartition, false)",
            inherits="(select pg_catalog.jsonb_agg(i.inhparent::pg_catalog.regclass::text order by i.inhseqno)"
            " from pg_catalog.pg_inherits as i where i.inhrelid = c.oid and not c.relispartition)",
            of="case when c.reloftype <> 0 then pg_catalog.format_type(c.reloftype, null) end",
            options="(select pg_catalog.jsonb_agg(o order by o) from pg_catalog.unnest(c.reloptions || (select"
            " pg_catalog.array_agg('toast.' || x) from pg_catalog.pg_class as tc,"
            " pg_catalog.unnest(tc.reloptions) as x where tc.oid = c.reltoastrelid)) as o)",
            access_method="(select nullif(m.amname, 'heap') from pg_catalog.pg_am as m where m.oid = c.relam)",
            tablespace="(select s.spcname from pg_catalog.pg_tablespace as s where s.oid = c.reltablespace)",
            rls="nullif(c.relrowsecurity, false)",
            force_rls="nullif(c.relforcerowsecurity, false)",
        ),
        source="pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
        f" where c.relkind in ('r', 'p') and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"table {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    columns = [p for p in parts if p.id.kind == "column"]
    defaults = {p.parent: p for p in parts if p.id.kind == "default"}
    constraints = [p for p in parts if p.id.kind == "constraint"]
    lines = []
    again = fact.id in context.before.facts and context.major >= 18
    for c in columns:
        if fact["inherits"] and c["inherited"]:
            lines.append(not_null.beside(c, context))
            continue
        default = defaults.get(c.id)
        lines.append(
            column.definition(
                c, default["expression"] if default else None, context, typed=bool(fact["of"]), named=again
            )
        )
    given_not_null = [ident(c.id.part) for c in columns if c["not_null_given"]]
    late = [c for c in constraints if fact["inherits"] and c["type"] == "p" and _covers(c, given_not_null)]
    if late:
        own = f" REFERENCES {w.name(fact.id)}("
        late += [c for c in constraints if c["type"] == "f" and own in c["definition"]]
    late += [c for c in constraints if c not in late and _is_double(c, constraints)]
    given = [c for c in constraints if c["inherited"] and (fact["inherits"] or c["type"] == "x")]
    lines += [constraint.definition(c) for c in constraints if c not in late and c not in given]
    body = ("(\n  " + ",\n  ".join(line for line in lines if line) + "\n)") if any(lines) else "()"
    if fact["of"]:
        body = f"of {fact['of']}" + (f" {body}" if any(lines) else "")
    sql = f"create {'unlogged ' if fact['persistence'] == 'u' else ''}table if not exists {w.name(fact.id)} {body}"
    if fact["inherits"]:
        sql += f" inherits ({', '.join(fact['inherits'])})"
    if fact["partition_by"]:
        sql += f" partition by {fact['partition_by']}"
    if fact["access_method"]:
        sql += f" using {ident(fact['access_method'])}"
    if fact["options"]:
        sql += f" with ({w.options(fact['options'])})"
    if fact["tablespace"]:
        sql += f" tablespace {ident(fact['tablespace'])}"
    found = [w.say(sql, f"new table {fact.id}", fact.id)]
    if fact["inherits"]:
        found += _differently(fact, [c for c in columns if c["inherited"]], defaults, context)
    found += _secured(None, fact)
    found += w.dressed(fact, context, _noun(fact), "table")
    for c in columns:
        found += column.dressed(c, context)
    for c in constraints:
        if c in late:
            # Inside CREATE TABLE a primary key would give its columns a NOT NULL instead of the one they inherit.
            found += constraint.create(c, context, ())
        elif not (c["inherited"] and c["type"] == "x"):
            found += constraint.dressed(c, context)
    return found


def _is_double(key: Fact, constraints: list[Fact]) -> bool:
    """Whether an earlier key has the same columns: PostgreSQL leaves the second one out of a CREATE TABLE without a word, and
    an exclusion that is said twice, too."""
    if key["type"] == "x":
        return any(c["definition"] == key["definition"] for c in constraints[: constraints.index(key)])
    if key["type"] != "u":
        return False
    columns = key["definition"].partition("(")[2].partition(")")[0]
    before = constraints[: constraints.index(key)]
    return any(
        c["type"] in "pu" and c["definition"].partition("(")[2].partition(")")[0] == columns for c in before
    )


def _covers(key: Fact, columns: list[str]) -> bool:
    """Whether one of the columns, as SQL writes them, is in a primary key."""
    found = re.match(r"PRIMARY KEY \((.*?)\)(?: |$)", key["definition"])
    return found is not None and any(name in columns for name in found[1].split(", "))


def drop(fact: Fact, context: Context) -> list[Statement]:
    lost = Hazard(HazardCode.DELETES_DATA, f"The rows of {fact.id} are deleted.")
    sql = f"drop table if exists {w.name(fact.id)}"
    return [w.say(sql, f"table {fact.id}: no longer declared", fact.id, lost)]


def _secured(old: Fact | None, new: Fact) -> list[Statement]:
    found = []
    for key, words in (("rls", "row level security"), ("force_rls", "row level security")):
        force = "force " if key == "force_rls" else ""
        before, after = bool(old and old[key]), bool(new[key])
        if before == after:
            continue
        if after:
            verb = force.strip() or "enable"
            found.append(w.say(f"alter {_noun(new)} {verb} {words}", f"{new.id}: {verb} {words}", new.id))
        else:
            verb = "no force" if force else "disable"
            risk = (
                f"The owner of {new.id} is no longer held by its policies."
                if force
                else f"Every role that may use {new.id} sees all of its rows."
            )
            weak = Hazard(HazardCode.WEAKENS_ISOLATION, risk)
            found.append(
                w.say(f"alter {_noun(new)} {verb} {words}", f"{new.id}: {verb} {words}", new.id, weak)
            )
    return found


def _adopted(old: Fact, new: Fact, context: Context) -> list[Statement]:
    """Other parents: taken off from the first that differs, and put on again in order."""
    before, after = old["inherits"] or [], new["inherits"] or []
    same = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    found = []
    for parent in before[same:]:
        sql = w.guarded(w.inherits(new.id, parent), f"alter {_noun(new)} no inherit {parent}")
        found.append(w.say(sql, f"{new.id}: no child of {parent}", new.id))
    if before[same:]:
        found += constraint.left_behind(new.id, context)
    for parent in after[same:]:
        sql = w.guarded(f"not {w.inherits(new.id, parent)}", f"alter {_noun(new)} inherit {parent}")
        found.append(w.say(sql, f"{new.id}: child of {parent}", new.id))
    return found


def _differently(
    fact: Fact, columns: list[Fact], defaults: dict[ObjectId | None, Fact], context: Context
) -> list[Statement]:
    """What an inherited column has of its own: CREATE TABLE … INHERITS gives it its parents' default and NOT NULL."""
    found = []
    parents = [p for p in context.after.edges.get(fact.id, ()) if p.kind in ("table", "foreign_table")]
    for c in columns:
        ids = [ObjectId("column", p.schema, p.name, c.id.part) for p in parents]
        above = [context.after.facts[id] for id in ids if id in context.after.facts]
        given = [d for a in above for d in context.after.children.get(a.id, ()) if d.id.kind == "default"]
        own = defaults.get(c.id)
        if {d["expression"] for d in given} != ({own["expression"]} if own else set()):
            what = f"set default {own['expression']}" if own else "drop default"
            sql = f"alter {_noun(fact)} alter column {ident(c.id.part)} {what}"
            found.append(w.say(sql, f"{c.id}: a default of its own", c.id))
        if context.major < 18 and c["not_null"] and not any(a["not_null"] for a in above):
            found.append(w.say(not_null.put(c, context), f"{c.id}: must have a value", c.id))
    return found


def _typed(old: Fact, new: Fact, context: Context) -> list[Statement]:
    if old["of"] == new["of"]:
        return []
    if new["of"]:
        had, has = (
            {
                c.id.part: (c["type"], c["collation"])
                for c in side.children.get(new.id, ())
                if c.id.kind == "column"
            }
            for side in (context.before, context.after)
        )
        if had != has:
            raise Unplannable(
                f"table {new.id} has other columns than type {new['of']}: change them first, then make it of the type"
            )
        return [w.say(f"alter {_noun(new)} of {new['of']}", f"{new.id}: made of type {new['of']}", new.id)]
    typed = f"(select reloftype <> 0 from pg_catalog.pg_class where oid = {literal(w.name(new.id))}::pg_catalog.regclass)"
    return [w.say(w.guarded(typed, f"alter {_noun(new)} not of"), f"{new.id}: of no type", new.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["partition_by"] != new["partition_by"]:
        return None
    found = [*_typed(old, new, context), *_adopted(old, new, context), *_secured(old, new)]
    if old["persistence"] != new["persistence"]:
        mode = "unlogged" if new["persistence"] == "u" else "logged"
        slow = Hazard(HazardCode.REWRITES_TABLE, f"Rewrites {new.id} under an exclusive lock.")
        found.append(w.say(f"alter {_noun(new)} set {mode}", f"{new.id}: {mode}", new.id, slow))
        found += _otherwise_logged(new, context)
    options = w.changed_options(old["options"], new["options"], f"alter {_noun(new)}", new)
    # Those of the TOAST table are ignored before the table has one, which a new column may bring (manual: CREATE TABLE).
    late = tuple(statement for statement in options if "toast." in statement.sql)
    found += [statement for statement in options if statement not in late]
    if old["access_method"] != new["access_method"]:
        method = ident(new["access_method"] or "heap")
        slow = Hazard(HazardCode.REWRITES_TABLE, f"Rewrites {new.id} under an exclusive lock.")
        sql = f"alter {_noun(new)} set access method {method}"
        found.append(w.say(sql, f"{new.id}: stored by {method}", new.id, slow))
    if old["tablespace"] != new["tablespace"]:
        space = ident(new["tablespace"] or "pg_default")
        slow = Hazard(HazardCode.REWRITES_TABLE, f"Copies {new.id} under an exclusive lock.")
        found.append(
            w.say(
                f"alter {_noun(new)} set tablespace {space}", f"{new.id}: in tablespace {space}", new.id, slow
            )
        )
    found += w.redressed(old, new, context, _noun(new), "table")
    return Alteration((*found, *_granted_on_columns(old, new, context)), late=late)


def _otherwise_logged(table: Fact, context: Context) -> list[Statement]:
    """Since 15 the sequences that a table owns become logged or unlogged with it (manual: ALTER TABLE): those that shall not."""
    found = []
    for side in (context.before, context.after) if context.major >= 15 else ():
        for tie in side.by_kind.get("owned_by", ()):
            counter = context.after.facts.get(ObjectId("sequence", tie.id.schema, tie.id.name))
            mine = (tie["schema"], tie["table"]) == (table.id.schema, table.id.name)
            if mine and counter is not None and counter["persistence"] != table["persistence"]:
                mode = "unlogged" if counter["persistence"] == "u" else "logged"
                sql = f"alter sequence if exists {w.name(counter.id)} set {mode}"
                found.append(w.say(sql, f"{counter.id}: {mode}, unlike its table", counter.id))
    return list(dict.fromkeys(found))


def _granted_on_columns(old: Fact, new: Fact, context: Context) -> list[Statement]:
    """A privilege revoked on a table is revoked on its columns too (manual: REVOKE, Notes): those that keep it get it again."""
    default = w.default_acl("table", context.major)
    before, after = (fact["acl"] if fact["acl"] is not None else default for fact in (old, new))
    lost = {
        who: kept
        for who, privileges in before.items()
        if (kept := {p.rstrip("*") for p in privileges if p not in after.get(who, ())})
    }
    found = []
    for c in context.after.children.get(new.id, ()) if lost else ():
        if c.id.kind == "column" and c["acl"] and c.id in context.before.facts:
            again = {
                who: [p for p in privileges if p.rstrip("*") in lost.get(who, ())]
                for who, privileges in c["acl"].items()
            }
            found += column.granted(c, {}, again, context)
    return found


def forgotten(fact: Fact, context: Context) -> list[Statement]:
    """The options of its TOAST table, which comes and goes with the columns that need one."""
    kept = [option for option in fact["options"] or () if option.startswith("toast.")]
    return w.changed_options(None, kept, f"alter {_noun(fact)}", fact)


KIND = Kind(
    "table", read, create, drop, alter,
    replaceable=False, drop_late=True, carry=carrying.carry, forgotten=forgotten,
)  # fmt: skip
