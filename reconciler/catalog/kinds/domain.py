"""Domains (manual: CREATE DOMAIN); their CHECK constraints are facts of their own (`domain_constraint`)."""

from __future__ import annotations

from reconciler.catalog.kinds import domain_constraint
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import lossy, printed, using
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.retyping import remade
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal


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
            **r.common("pg_type", "t", "typ", "T"),
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


def _made(fact: Fact, parts: tuple[Fact, ...], *, again: bool = False) -> str:
    """`again` is for one that takes the place of another, which still has the names PostgreSQL would choose."""
    words = [f"create {_noun(fact)} as {fact['type']}"]
    if fact["collation"]:
        words.append(f"collate {fact['collation']}")
    if fact["default"] is not None:
        words.append(f"default {fact['default']}")
    if fact["not_null"]:
        name = f"{fact.id.name}_not_null"
        usual = again and fact["not_null"] is True and len(name.encode()) < 64
        words.append(f"constraint {ident(name)} not null" if usual else domain_constraint.not_null(fact))
    return " ".join([*words, *(domain_constraint.definition(p) for p in parts)])


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(w.missing("to_regtype", w.name(fact.id)), _made(fact, parts))
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
        return _rebased(old, new, context)
    found = []
    action = f"alter {_noun(new)}"
    if old["default"] != new["default"]:
        words = "drop default" if new["default"] is None else f"set default {new['default']}"
        found.append(w.say(f"{action} {words}", f"{new.id}: {words}", new.id))
    if old["not_null"] != new["not_null"]:
        if old["not_null"]:
            found.append(w.say(f"{action} drop not null", f"{new.id}: may be null", new.id))
        if new["not_null"]:
            domain_constraint.refuse_inside(new.id, context)
            doubt = Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a column of type {new.id} holds a null.")
            if new["not_null"] is True:
                found.append(w.say(f"{action} set not null", f"{new.id}: must have a value", new.id, doubt))
            else:
                sql = f"{action} add {domain_constraint.not_null(new)}"
                found.append(w.say(sql, f"{new.id}: must have a value", new.id, doubt))
    target = f"type {w.name(new.id)}"
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), "type", target)))


def _rebased(old: Fact, new: Fact, context: Context) -> Alteration:
    """Another base type: the domain is made anew with the checks it shall have, and its columns are carried over."""
    checks = tuple(
        part
        for part in context.after.children.get(new.id, ())
        if part.id.kind == "domain_constraint" and domain_constraint.valid(part)
    )
    domain = f"{literal(w.name(new.id))}::pg_catalog.regtype"
    column = "pg_catalog.format_type(typbasetype, typtypmod)"
    outdated = f"(select {column} from pg_catalog.pg_type where oid = {domain}) <> {literal(new['type'])}"
    if old["collation"] != new["collation"] and old["type"] == new["type"]:
        wanted = f"{literal(new['collation'])}::pg_catalog.regcollation" if new["collation"] else "100"
        outdated = f"(select typcollation from pg_catalog.pg_type where oid = {domain}) <> {wanted}"
    risks = []
    if lossy(old["type"], new["type"]):
        words = f"{new.id}: {old['type']} → {new['type']} can fail or lose part of a value."
        risks.append(Hazard(HazardCode.LOSSY_CAST, words))

    def carried(column: Fact) -> str:
        type_, name = column["type"], ident(column.id.part)
        if type_.endswith("[]"):
            return f"({printed(name)})::text[]::{type_}"
        return f"{using(name, old['type'], new['type'])[0]}::{type_}"

    dress = w.dressed(new, context, _noun(new), "type", f"type {w.name(new.id)}")
    for check in checks:
        dress += domain_constraint.dressed(check)
    return remade(
        old, new, context, "domain", _made(new, checks, again=True), outdated, carried, dress, *risks
    )


KIND = Kind("domain", read, create, drop, alter, replaceable=False)
