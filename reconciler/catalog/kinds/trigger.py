"""Triggers of tables and views (manual: CREATE TRIGGER). The copies on partitions belong to the partitioned table's trigger. Those of an
apply that is under way, or was interrupted, are ours."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal

STATES = {"O": "enable", "D": "disable", "A": "enable always", "R": "enable replica"}


def _runs_ours(scope: Scope) -> str:
    return (
        "exists (select from pg_catalog.pg_proc as f join pg_catalog.pg_namespace as fn on fn.oid = f.pronamespace"
        f" where f.oid = t.tgfoid and {r.in_scope(scope, 'fn')})"
    )


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_trigger",
        "t.oid",
        schema="n.nspname",
        name="c.relname",
        part="t.tgname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(
            definition="pg_catalog.pg_get_triggerdef(t.oid)",
            enabled="nullif(t.tgenabled, 'O')",
            constraint="case when t.tgconstraint <> 0 then true end",
            comment=r.comment("pg_trigger", "t.oid"),
            # On a partition the copy of its parent's trigger is a fact only when it fires differently.
            copied="(select p.tgenabled from pg_catalog.pg_trigger as p where p.oid = t.tgparentid)",
            extensions=r.extensions("pg_trigger", "t.oid"),
        ),
        # Up to 14 the copies count as internal, as what a foreign key makes always does.
        source="pg_catalog.pg_trigger as t join pg_catalog.pg_class as c on c.oid = t.tgrelid join"
        " pg_catalog.pg_namespace as n on n.oid = c.relnamespace where (not t.tgisinternal or t.tgparentid <> 0 and t.tgconstraint = 0) and (t.tgparentid = 0 or t.tgenabled <> (select p.tgenabled"
        " from pg_catalog.pg_trigger as p where p.oid = t.tgparentid)) and"
        f" {r.not_ours('t')} and {r.in_scope_or_lent(scope, _runs_ours(scope))} and {r.no_member('pg_class', 'c.oid')} and {r.no_member('pg_trigger', 't.oid')}",
    )


def _on(fact: Fact) -> str:
    return f"{ident(fact.id.part)} on {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    if fact["copied"]:
        return [_set(fact, STATES[fact["enabled"] or "O"])]
    found = [*_made(fact, f"new trigger {fact.id}"), *_enabled(None, fact)]
    if fact["comment"] is not None:
        found.append(w.commented(fact, f"trigger {_on(fact)}"))
    return found + w.tied(None, fact, f"trigger {_on(fact)}")


def _made(fact: Fact, reason: str) -> list[Statement]:
    definition: str = fact["definition"]
    if fact["constraint"]:  # OR REPLACE is not for constraint triggers (manual: CREATE TRIGGER, Notes)
        first = w.say(f"drop trigger if exists {_on(fact)}", reason, fact.id)
        return [
            first,
            w.say(
                definition.replace("CREATE CONSTRAINT TRIGGER", "create constraint trigger", 1),
                reason,
                fact.id,
            ),
        ]
    return [w.say(definition.replace("CREATE TRIGGER", "create or replace trigger", 1), reason, fact.id)]


def _enabled(old: Fact | None, new: Fact) -> list[Statement]:
    if (old["enabled"] if old else None) == new["enabled"]:
        return []
    state = STATES[new["enabled"] or "O"]
    risk = (
        [Hazard(HazardCode.WEAKENS_ISOLATION, f"Trigger {new.id} no longer fires.")]
        if state == "disable"
        else []
    )
    return [_set(new, state, *(risk if old else []))]


def _set(fact: Fact, state: str, *risks: Hazard) -> Statement:
    sql = f"alter table {w.name(fact.id)} {state} trigger {ident(fact.id.part)}"
    return w.say(sql, f"{fact.id}: {state}", fact.id, *risks)


def drop(fact: Fact, context: Context) -> list[Statement]:
    if fact["copied"]:
        return _as_its_parent(fact, context)
    risks = []
    if fact.id not in context.after.digests and fact["enabled"] != "D":
        risks.append(
            Hazard(HazardCode.WEAKENS_ISOLATION, f"What trigger {fact.id} checks or records no longer is.")
        )
    sql = f"drop trigger if exists {_on(fact)}"
    return [w.say(sql, f"trigger {fact.id}: no longer declared", fact.id, *risks)]


def _as_its_parent(fact: Fact, context: Context) -> list[Statement]:
    """The copy fires as the parent's trigger does; when either table or the trigger goes, so does the copy."""
    state = STATES[fact["copied"]]
    if fact.parent not in context.after.digests:
        return []
    condition = (
        "exists (select from pg_catalog.pg_trigger where tgrelid ="
        f" pg_catalog.to_regclass({literal(w.name(fact.id))}) and tgname = {literal(fact.id.part)} and tgparentid <> 0)"
    )
    sql = f"alter table {w.name(fact.id)} {state} trigger {ident(fact.id.part)}"
    return [w.say(w.guarded(condition, sql), f"{fact.id}: {state}, as on its parent", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found: list[Statement] = []
    if old["copied"] or new["copied"]:
        return Alteration(tuple(create(new, context, ()))) if old["copied"] and new["copied"] else None
    made = old["definition"] != new["definition"]
    if made:
        if bool(old["constraint"]) != bool(new["constraint"]):
            return None
        found += _made(new, f"{new.id}: new definition")
    # Making it again, by either form, leaves it enabled in the ordinary way.
    found += _enabled(None if made else old, new)
    if old["comment"] != new["comment"] or (made and new["constraint"] and new["comment"] is not None):
        found.append(w.commented(new, f"trigger {_on(new)}"))
    found += w.tied(None if made and new["constraint"] else old, new, f"trigger {_on(new)}")
    return Alteration(tuple(found))


KIND = Kind("trigger", read, create, drop, alter)
