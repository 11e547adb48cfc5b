"""Functions, including window functions (manual: CREATE FUNCTION). Procedures share all of it.

Identity is the name with the types of the input arguments. CREATE OR REPLACE cannot change the result, rename an
argument or take a default away: then the function is made anew, with whatever stands on it.
"""

from __future__ import annotations

import re

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement

ARGUMENTS = "'(' || pg_catalog.oidvectortypes(p.proargtypes) || ')'"


def read(scope: Scope, major: int, *, kinds: str = "'f', 'w'") -> str:
    return r.select(
        "pg_proc",
        "p.oid",
        schema="n.nspname",
        name="p.proname",
        part=ARGUMENTS,
        attributes=r.attributes(
            **r.common("pg_proc", "p", "pro", "f"),
            definition="pg_catalog.pg_get_functiondef(p.oid)",
            arguments="pg_catalog.pg_get_function_arguments(p.oid)",
            names="pg_catalog.to_jsonb(p.proargnames)",
            modes="pg_catalog.to_jsonb(p.proargmodes)",
            defaults="nullif(p.pronargdefaults, 0)",
            result="pg_catalog.pg_get_function_result(p.oid)",
            language="(select l.lanname from pg_catalog.pg_language as l where l.oid = p.prolang)",
            definer="nullif(p.prosecdef, false)",
            search_path="(select s from pg_catalog.unnest(p.proconfig) as s where s ~ '^search_path=')",
            extensions=r.extensions("pg_proc", "p.oid"),
            window="case when p.prokind = 'w' then true end",
        ),
        source="pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace"
        f" where p.prokind in ({kinds}) and {r.in_scope(scope)} and {r.no_member('pg_proc', 'p.oid')}"
        # The constructors of a range type are part of it.
        f" and {r.no_part('pg_proc', 'p.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"{fact.id.kind} {w.routine(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = _definition(fact)
    old = context.before.facts.get(fact.id)
    made = w.say(sql, f"new {fact.id.kind} {fact.id}", fact.id, *(_weakened(old, fact) if old else []))
    return [made, *w.dressed(fact, context, _noun(fact), "function"), *w.tied(None, fact, _noun(fact))]


def _definition(fact: Fact) -> str:
    text: str = fact["definition"].rstrip().rstrip(";")
    return re.sub(r"\ACREATE OR REPLACE (FUNCTION|PROCEDURE)", lambda m: m[0].lower(), text)


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop {fact.id.kind} if exists {w.routine(fact.id)}"
    return [w.say(sql, f"{fact.id.kind} {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if old["definition"] != new["definition"]:
        if any(old[key] != new[key] for key in ("result", "modes", "window")) or not _names_kept(old, new):
            return None
        if (old["defaults"] or 0) > (new["defaults"] or 0):
            return None
        found.append(w.say(_definition(new), f"{new.id}: new definition", new.id, *_weakened(old, new)))
    found += w.redressed(old, new, context, _noun(new), "function")
    return Alteration((*found, *w.tied(old, new, _noun(new))))


def _names_kept(old: Fact, new: Fact) -> bool:
    """An argument without a name may get one; a named one keeps it (manual: CREATE FUNCTION, Notes)."""
    before, after = old["names"], new["names"]
    if not before:
        return not (after and new["modes"] and any(mode in "obt" for mode in new["modes"]))
    return (
        bool(after)
        and len(before) == len(after)
        and all(not b or b == a for b, a in zip(before, after, strict=True))
    )


def _weakened(old: Fact, new: Fact) -> list[Hazard]:
    found = []
    if new["definer"] and not old["definer"]:
        found.append(
            Hazard(
                HazardCode.WEAKENS_ISOLATION,
                f"{new.id} runs with its owner's rights: row policies see the owner.",
            )
        )
    if new["definer"] and old["search_path"] and not new["search_path"]:
        found.append(
            Hazard(
                HazardCode.WEAKENS_ISOLATION,
                f"{new.id} runs with its owner's rights and the caller's search_path.",
            )
        )
    return found


KIND = Kind("function", read, create, drop, alter)
