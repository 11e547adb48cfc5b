"""Which role is a member of which (manual: GRANT, "GRANT on Roles"). Part of the whole server: see `role`.

Named by the role that is granted, part is the member. The same membership granted by several roles counts once: it holds
what any of the grants gives, and taking it away takes all of them.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import dollar, ident, literal


def read(scope: Scope, major: int) -> str:
    later = {}
    if major >= 16:
        later = {"inherit": "pg_catalog.bool_or(m.inherit_option)", "set": "pg_catalog.bool_or(m.set_option)"}
    return r.select(
        "pg_auth_members",
        "m.roleid",
        sub="pg_catalog.row_number() over (partition by m.roleid order by u.rolname)",
        name="g.rolname",
        part="u.rolname",
        parent=("pg_authid", "m.roleid", "0"),
        attributes=r.attributes(admin="pg_catalog.bool_or(m.admin_option)", **later),
        source="pg_catalog.pg_auth_members as m join pg_catalog.pg_roles as g on g.oid = m.roleid join"
        " pg_catalog.pg_roles as u on u.oid = m.member where (g.oid >= 16384 or u.oid >= 16384) and"
        f" {r.cluster(scope)} group by m.roleid, g.rolname, u.rolname",
    )


def _pair(fact: Fact, preposition: str) -> str:
    return f"{ident(fact.id.name)} {preposition} {ident(fact.id.part)}"


def _granted(fact: Fact, context: Context, reason: str) -> Statement:
    if context.major >= 16:
        words = {key: str(bool(fact[key])).lower() for key in ("admin", "inherit", "set")}
        options = [f"{key} {value}" for key, value in words.items()]
        suffix = f" with {', '.join(options)}"
    else:
        suffix = " with admin option" if fact["admin"] else ""
    power = Hazard(HazardCode.WEAKENS_ISOLATION, f"{fact.id.part} may do what {fact.id.name} may.")
    return w.say(f"grant {_pair(fact, 'to')}{suffix}", reason, fact.id, power)


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    return [_granted(fact, context, f"{fact.id.part}: member of {fact.id.name}")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    """From every role that granted it, or it would stay (manual: REVOKE, GRANTED BY). What the member itself granted goes
    too: PostgreSQL keeps no grant whose grantor has lost the right."""
    reason = f"{fact.id.part}: no longer a member of {fact.id.name}"
    lost = Hazard(HazardCode.REVOKES_ACCESS, f"{fact.id.part} can no longer do what {fact.id.name} may.")
    if context.major < 16:
        return [w.say(f"revoke {_pair(fact, 'from')}", reason, fact.id, lost)]
    revoke = literal(f"revoke {_pair(fact, 'from')} granted by ")
    body = (
        "\ndeclare\n  giver text;\nbegin\n  for giver in\n    select pg_catalog.quote_ident(o.rolname)"
        " from pg_catalog.pg_auth_members as m join pg_catalog.pg_roles as o on o.oid = m.grantor\n      join"
        " pg_catalog.pg_roles as g on g.oid = m.roleid join pg_catalog.pg_roles as u on u.oid = m.member\n    where"
        f" g.rolname = {literal(fact.id.name)} and u.rolname = {literal(fact.id.part)} order by 1\n  loop\n"
        f"    execute {revoke} || giver || ' cascade';\n  end loop;\nend\n"
    )
    return [w.say("do " + dollar(body), reason, fact.id, lost)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if context.major < 16 and old["admin"] and not new["admin"]:
        sql = f"revoke admin option for {_pair(new, 'from')}"
        return Alteration((w.say(sql, f"{new.id.part}: may no longer grant {new.id.name}", new.id),))
    return Alteration((_granted(new, context, f"{new.id.part}: other rights in {new.id.name}"),))


KIND = Kind("membership", read, create, drop, alter)
