"""Event triggers (manual: CREATE EVENT TRIGGER). Only a superuser may make one.

One belongs to the schema of its function: those of this program's own schemas are never looked at.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.trigger import STATES
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal

DEFINING = ("event", "tags", "function")


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_event_trigger",
        "v.oid",
        name="v.evtname",
        attributes=r.attributes(
            **r.common("pg_event_trigger", "v", "evt"),
            event="v.evtevent",
            tags="pg_catalog.to_jsonb(v.evttags)",
            function="v.evtfoid::pg_catalog.regproc::text",
            enabled="nullif(v.evtenabled, 'O')",
        ),
        source="pg_catalog.pg_event_trigger as v join pg_catalog.pg_proc as p on p.oid = v.evtfoid join"
        " pg_catalog.pg_namespace as n on n.oid = p.pronamespace where"
        f" {r.outside(scope)} and {r.in_scope(scope)} and {r.no_member('pg_event_trigger', 'v.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"event trigger {ident(fact.id.name)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    tags = f" when tag in ({', '.join(literal(tag) for tag in fact['tags'])})" if fact["tags"] else ""
    reason = f"new event trigger {fact.id}"
    made = f"create {_noun(fact)} on {fact['event']}{tags} execute function {fact['function']}()"
    found = [
        w.say(
            f"drop event trigger if exists {ident(fact.id.name)}",
            f"{reason}: made anew when it is there",
            fact.id,
        ),
        w.say(made, reason, fact.id),
    ]
    if fact["enabled"]:
        found.append(_enabled(fact))
    return found + w.dressed(fact, context, _noun(fact))


def _enabled(fact: Fact, *hazards: Hazard) -> Statement:
    state = STATES[fact["enabled"] or "O"]
    return w.say(f"alter {_noun(fact)} {state}", f"{fact.id}: {state}", fact.id, *hazards)


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop event trigger if exists {ident(fact.id.name)}"
    return [w.say(sql, f"event trigger {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in DEFINING):
        return None
    found = []
    if old["enabled"] != new["enabled"]:
        risk = Hazard(HazardCode.WEAKENS_ISOLATION, f"Event trigger {new.id} no longer fires.")
        found.append(_enabled(new, *([risk] if new["enabled"] == "D" else [])))
    return Alteration((*found, *w.redressed(old, new, context, _noun(new))))


KIND = Kind("event_trigger", read, create, drop, alter)
