"""Row security policies (manual: CREATE POLICY)."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident

COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete"}


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_policy",
        "p.oid",
        schema="n.nspname",
        name="c.relname",
        part="p.polname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(
            command="nullif(p.polcmd, '*')",
            restrictive="nullif(not p.polpermissive, false)",
            roles="case when p.polroles = '{0}' then '[\"public\"]'::jsonb else (select pg_catalog.jsonb_agg(x.role order by x.role) from (select case when o = 0 then 'public'"
            " else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o)) end as role"
            " from pg_catalog.unnest(p.polroles) as o) as x) end",
            using="pg_catalog.pg_get_expr(p.polqual, p.polrelid)",
            check="pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)",
            comment=r.comment("pg_policy", "p.oid"),
        ),
        source="pg_catalog.pg_policy as p join pg_catalog.pg_class as c on c.oid = p.polrelid join"
        f" pg_catalog.pg_namespace as n on n.oid = c.relnamespace where {r.in_scope_or_lent(scope)} and"
        f" {r.no_member('pg_class', 'c.oid')}",
    )


def _on(fact: Fact) -> str:
    return f"{ident(fact.id.part)} on {w.name(fact.id)}"


def _conditions(fact: Fact) -> str:
    using = f" using ({fact['using']})" if fact["using"] is not None else ""
    check = f" with check ({fact['check']})" if fact["check"] is not None else ""
    return using + check


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    kind = " as restrictive" if fact["restrictive"] else ""
    command = f" for {COMMANDS[fact['command']]}" if fact["command"] else ""
    roles = "" if fact["roles"] == ["public"] else f" to {', '.join(fact['roles'])}"
    reason = f"new policy {fact.id}"
    found = [
        w.say(f"drop policy if exists {_on(fact)}", f"{reason}: made anew when it is there already", fact.id),
        w.say(
            f"create policy {_on(fact)}{kind}{command}{roles}{_conditions(fact)}",
            reason,
            fact.id,
            *_loosened(context.before.facts.get(fact.id), fact, context),
        ),
    ]
    if fact["comment"] is not None:
        found.append(w.commented(fact, f"policy {_on(fact)}"))
    return found


def _loosened(old: Fact | None, new: Fact, context: Context) -> list[Hazard]:
    """What lets rows through that were held back before. Which of two conditions is wider cannot be told from their text, so a
    different one counts. Permissive policies are joined by OR (manual: CREATE POLICY): one more is wider."""
    words = ""
    if old is None:
        siblings = context.before.children.get(new.parent, ()) if new.parent else ()
        beside = [part for part in siblings if part.id.kind == "policy" and not part["restrictive"]]
        same = [p for p in beside if not p["command"] or not new["command"] or p["command"] == new["command"]]
        if same and not new["restrictive"]:
            words = f"also lets through what {same[0].id.part} does not"
    elif any(old[key] != new[key] for key in ("using", "check", "command", "restrictive")):
        words = "lets other rows through than before"
    elif new["restrictive"] and not _covers(new["roles"], old["roles"]):
        words = "no longer restricts every role it did"
    elif not new["restrictive"] and not _covers(old["roles"], new["roles"]):
        words = "lets more roles through"
    return [Hazard(HazardCode.WEAKENS_ISOLATION, f"Policy {new.id} {words}.")] if words else []


def _covers(wide: list[str], narrow: list[str]) -> bool:
    return "public" in wide or set(narrow) <= set(wide)


def drop(fact: Fact, context: Context) -> list[Statement]:
    hazards = []
    if fact.id not in context.after.digests:
        if fact["restrictive"]:
            risk = f"Rows of {w.name(fact.id)} are no longer restricted by {fact.id.part}."
            hazards.append(Hazard(HazardCode.WEAKENS_ISOLATION, risk))
        else:
            risk = f"What policy {fact.id.part} let through on {w.name(fact.id)} is refused."
            hazards.append(Hazard(HazardCode.REVOKES_ACCESS, risk))
    sql = f"drop policy if exists {_on(fact)}"
    return [w.say(sql, f"policy {fact.id}: no longer declared", fact.id, *hazards)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    lost = any(old[key] is not None and new[key] is None for key in ("using", "check"))
    if lost or old["command"] != new["command"] or old["restrictive"] != new["restrictive"]:
        return None
    found = []
    if any(old[key] != new[key] for key in ("roles", "using", "check")):
        roles = f" to {', '.join(new['roles'])}" if old["roles"] != new["roles"] else ""
        sql = f"alter policy {_on(new)}{roles}{_conditions(new)}"
        found.append(w.say(sql, f"{new.id}: other rows or roles", new.id, *_loosened(old, new, context)))
    if old["comment"] != new["comment"]:
        found.append(w.commented(new, f"policy {_on(new)}"))
    return Alteration(tuple(found))


KIND = Kind("policy", read, create, drop, alter)
