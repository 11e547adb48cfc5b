"""Domains (manual: CREATE DOMAIN); their CHECK constraints are facts of their own (`domain_constraint`)."""

from __future__ import annotations

from reconciler.catalog.kinds import domain_constraint
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement


def read(scope: Scope, major: int) -> str:
    not_null = "nullif(t.typnotnull, false)"
    if major >= 17:
        # Since 17 a domain's NOT NULL is a constraint with a name; the ordinary name stays `true`.
        not_null = (
            "case when t.typnotnull then coalesce((select case when k.conname = pg_catalog.left(t.typname ||"
            " '_not_null', 63) then 'true'::jsonb else pg_catalog.to_jsonb(k.conname) end from"
            " pg_catalog.pg_constraint as k where k.contypid = t.oid and k.contype = 'n'), 'true'::jsonb) end"
        )
    return r.select(
        "pg_type",
        "t.oid",
        schema="n.nspname",
        name="t.typname",
        attributes=r.attributes(
            owner=r.owner("t.typowner"),
            acl=r.acl("t.typacl", "T", "t.typowner"),
            comment=r.comment("pg_type", "t.oid"),
            labels=r.labels("pg_type", "t.oid"),
            type="pg_catalog.format_type(t.typbasetype, t.typtypmod)",
            not_null=not_null,
            default="pg_catalog.pg_get_expr(t.typdefaultbin, 0)",
            collation="(select case when t.typcollation <> b.typcollation then"
            " t.typcollation::pg_catalog.regcollation::text end from pg_catalog.pg_type as b where"
            " b.oid = t.typbasetype)",
        ),
        source="pg_catalog.pg_type as t join pg_catalog.pg_namespace as n on n.oid = t.typnamespace"
        f" where t.typtype = 'd' and {r.in_scope(scope)} and {r.no_member('pg_type', 't.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"domain {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    words = [f"create {_noun(fact)} as {fact['type']}"]
    if fact["collation"]:
        words.append(f"collate {fact['collation']}")
    if fact["default"] is not None:
        words.append(f"default {fact['default']}")
    if fact["not_null"]:
        words.append(domain_constraint.not_null(fact))
    words += [domain_constraint.definition(p) for p in parts]
    sql = w.guarded(w.missing("to_regtype", w.name(fact.id)), " ".join(words))
    found = [w.say(sql, f"new domain {fact.id}", fact.id)]
    found += w.dressed(fact, context, _noun(fact), "type", f"type {w.name(fact.id)}")
    for part in parts:
        found += domain_constraint.dressed(part)
    return found


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [
        w.say(f"drop domain if exists {w.name(fact.id)}", f"domain {fact.id}: no longer declared", fact.id)
    ]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if (old["type"], old["collation"]) != (new["type"], new["collation"]):
        raise Unplannable(f"domain {new.id} changes its base type {old['type']} → {new['type']}")
    found = []
    action = f"alter {_noun(new)}"
    if old["default"] != new["default"]:
        words = "drop default" if new["default"] is None else f"set default {new['default']}"
        found.append(w.say(f"{action} {words}", f"{new.id}: {words}", new.id))
    if old["not_null"] != new["not_null"]:
        if old["not_null"]:
            found.append(w.say(f"{action} drop not null", f"{new.id}: may be null", new.id))
        if new["not_null"]:
            doubt = Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a column of type {new.id} holds a null.")
            if new["not_null"] is True:
                found.append(w.say(f"{action} set not null", f"{new.id}: must have a value", new.id, doubt))
            else:
                sql = f"{action} add {domain_constraint.not_null(new)}"
                found.append(w.say(sql, f"{new.id}: must have a value", new.id, doubt))
    target = f"type {w.name(new.id)}"
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), "type", target)))


KIND = Kind("domain", read, create, drop, alter, replaceable=False)
