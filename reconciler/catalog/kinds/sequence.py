"""Sequences (manual: CREATE SEQUENCE), without those behind identity columns, which are options of their column.

To which column a sequence belongs is a fact of its own (`owned_by`): the sequence comes before the table's default, the
ownership after the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement

LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}

OPTIONS = (
    "pg_catalog.jsonb_build_object('type', pg_catalog.format_type(s.seqtypid, null), 'start', s.seqstart::text,"
    " 'increment', s.seqincrement::text, 'min', s.seqmin::text, 'max', s.seqmax::text, 'cache', s.seqcache::text,"
    " 'cycle', s.seqcycle)"
)
"""The options of pg_sequence `s` as jsonb; numbers as text, since JSON numbers lose digits beyond 2⁵³."""


Options = Mapping[str, str | bool]


def settings(options: Options) -> dict[str, str]:
    """The clauses that say what differs from a new sequence's defaults (manual: CREATE SEQUENCE, Parameters)."""
    type_ = str(options["type"])
    limit = LIMITS[type_]
    up = int(options["increment"]) > 0
    low, high = (1, limit - 1) if up else (-limit, -1)
    first = int(options["min"]) if up else int(options["max"])
    found = {}
    if type_ != "bigint":
        found["as"] = f"as {type_}"
    if int(options["start"]) != first:
        found["start"] = f"start with {options['start']}"
    if int(options["increment"]) != 1:
        found["increment"] = f"increment by {options['increment']}"
    if int(options["min"]) != low:
        found["min"] = f"minvalue {options['min']}"
    if int(options["max"]) != high:
        found["max"] = f"maxvalue {options['max']}"
    if int(options["cache"]) != 1:
        found["cache"] = f"cache {options['cache']}"
    if options["cycle"]:
        found["cycle"] = "cycle"
    return found


def changes(old: Options, new: Options) -> list[str]:
    """The clauses of ALTER SEQUENCE (or of an identity column, prefixed by the caller) that lead from old to new."""
    words = {
        "start": "start with",
        "increment": "increment by",
        "min": "minvalue",
        "max": "maxvalue",
        "cache": "cache",
    }
    found = [f"{word} {new[key]}" for key, word in words.items() if old[key] != new[key]]
    if old["cycle"] != new["cycle"]:
        found.append("cycle" if new["cycle"] else "no cycle")
    if old["type"] != new["type"]:
        # ALTER … AS moves limits that were the old type's own; stating both makes the result independent of that.
        found = [f"as {new['type']}"] + [
            clause for clause in found if not clause.startswith(("minvalue", "maxvalue"))
        ]
        found += [f"minvalue {new['min']}", f"maxvalue {new['max']}"]
    return found


def altered(name: str, alter: str, clauses: list[str], old: Options, new: Options, put: str = "") -> str:
    """The ALTER that changes the options of sequence `name`. `put` stands before each clause (`set` for identity columns).

    It keeps counting where it is. Only when that lies outside the new bounds, where PostgreSQL would refuse, it starts
    again at the new start.
    """
    sql = f"{alter} {' '.join(put + clause for clause in clauses)}"
    low, high = (int(new[key]) for key in ("min", "max"))
    if low <= int(old["min"]) and high >= int(old["max"]):
        return sql
    inside = f"(select last_value between {low} and {high} from {name})"
    return w.either(inside, sql, f"{sql} restart with {new['start']}")


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_class",
        "c.oid",
        schema="n.nspname",
        name="c.relname",
        attributes=r.attributes(
            **r.common("pg_class", "c", "rel", "s"),
            options=OPTIONS,
            persistence="nullif(c.relpersistence, 'p')",
        ),
        source="pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
        " join pg_catalog.pg_sequence as s on s.seqrelid = c.oid"
        f" where c.relkind = 'S' and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')} and not exists"
        " (select from pg_catalog.pg_depend as i where i.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        " and i.objid = c.oid and i.deptype = 'i')",
    )


def _noun(fact: Fact) -> str:
    return f"sequence {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    unlogged = "unlogged " if fact["persistence"] == "u" else ""
    clauses = "".join(f" {clause}" for clause in settings(fact["options"]).values())
    made = w.say(
        f"create {unlogged}sequence if not exists {w.name(fact.id)}{clauses}",
        f"new sequence {fact.id}",
        fact.id,
    )
    return [made, *w.dressed(fact, context, _noun(fact), "sequence")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    lost = Hazard(HazardCode.DELETES_DATA, f"Sequence {fact.id} forgets how far it has counted.")
    return [w.say(f"drop {_with_guard(fact)}", f"sequence {fact.id}: no longer declared", fact.id, lost)]


def _with_guard(fact: Fact) -> str:
    return f"sequence if exists {w.name(fact.id)}"


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if old["options"] != new["options"]:
        clauses = changes(old["options"], new["options"])
        sql = altered(w.name(new.id), f"alter {_noun(new)}", clauses, old["options"], new["options"])
        found.append(w.say(sql, f"{new.id}: {' '.join(clauses)}", new.id))
    if old["persistence"] != new["persistence"]:
        mode = "unlogged" if new["persistence"] == "u" else "logged"
        found.append(w.say(f"alter {_noun(new)} set {mode}", f"{new.id}: {mode}", new.id))
    if _table(old, context.before) == _table(new, context.after) is not None:
        old = replace(old, attributes={**old.attributes, "owner": new["owner"]})
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), "sequence")))


def _table(fact: Fact, side: Snapshot) -> tuple[str, str] | None:
    """Where the column is to which it belongs: it gets the owner of that table with the table, and not otherwise."""
    owned = side.facts.get(ObjectId("owned_by", fact.id.schema, fact.id.name))
    return (owned["schema"], owned["table"]) if owned is not None else None


KIND = Kind("sequence", read, create, drop, alter, replaceable=False, drop_late=True)
