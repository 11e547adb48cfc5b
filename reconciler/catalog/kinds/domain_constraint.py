"""CHECK constraints of domains (manual: ALTER DOMAIN)."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.kinds.retyping import VALUES
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_constraint",
        "k.oid",
        schema="n.nspname",
        name="t.typname",
        part="k.conname",
        parent=("pg_type", "t.oid", "0"),
        attributes=r.attributes(
            definition="pg_catalog.pg_get_constraintdef(k.oid)", comment=r.comment("pg_constraint", "k.oid")
        ),
        source="pg_catalog.pg_constraint as k join pg_catalog.pg_type as t on t.oid = k.contypid join"
        f" pg_catalog.pg_namespace as n on n.oid = t.typnamespace where k.contype = 'c' and {r.in_scope(scope)}"
        f" and {r.no_member('pg_type', 't.oid')}",
    )


def definition(fact: Fact) -> str:
    return f"constraint {ident(fact.id.part)} {fact['definition']}"


def not_null(domain: Fact) -> str:
    """The NOT NULL of a domain, which since 17 can have a name."""
    return "not null" if domain["not_null"] is True else f"constraint {ident(domain['not_null'])} not null"


def dressed(fact: Fact) -> list[Statement]:
    noun = f"constraint {ident(fact.id.part)} on domain {w.name(fact.id)}"
    return [w.commented(fact, noun)] if fact["comment"] is not None else []


def _rebased(fact: Fact, context: Context) -> bool:
    """Whether its domain is made anew, on another base type, together with its checks."""
    sides = [side.facts.get(fact.parent) if fact.parent else None for side in (context.before, context.after)]
    keys = [(side["type"], side["collation"]) for side in sides if side is not None]
    return len(keys) == 2 and keys[0] != keys[1]


def inside(side: Snapshot, domain: ObjectId) -> Iterator[tuple[ObjectId, bool]]:
    """The columns and materialized views that show values of the domain, and whether these are inside other values."""
    seen: set[ObjectId] = set()
    todo = [(domain, False)]
    while todo:
        here, deep = todo.pop()
        for user in sorted(side.dependents.get(here, frozenset()) - seen):
            fact = side.facts[user]
            if user.kind in VALUES:
                seen.add(user)
                todo.append((user, deep or user.kind != "domain" or fact["type"].endswith("[]")))
            elif user.kind == "column":
                yield user, deep or fact["type"].endswith("[]")
            elif user.kind == "materialized_view":
                yield user, deep


def refuse_inside(domain: ObjectId, context: Context) -> None:
    """PostgreSQL checks no value of a domain that is inside another value (manual: ALTER DOMAIN, Notes)."""
    later = dict(inside(context.after, domain))
    for user, deep in inside(context.before, domain):
        if deep and later.get(user):
            raise Unplannable(
                f"domain {domain} would get a new condition, and {user} holds values of it inside others"
            )


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    if valid(fact) and _rebased(fact, context):
        return []
    if fact.parent is not None and fact.parent in context.before.facts and valid(fact):
        refuse_inside(fact.parent, context)
    condition = (
        f"not exists (select from pg_catalog.pg_constraint where contypid = {literal(w.name(fact.id))}"
        f"::pg_catalog.regtype and conname = {literal(fact.id.part)})"
    )
    sql = w.guarded(condition, f"alter domain {w.name(fact.id)} add {definition(fact)}")
    doubt = Hazard(
        HazardCode.DEPENDS_ON_DATA, f"Fails while a column of type {w.name(fact.id)} breaks {fact.id.part}."
    )
    return [w.say(sql, f"new check {fact.id}", fact.id, *([doubt] if valid(fact) else [])), *dressed(fact)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"alter domain {w.name(fact.id)} drop constraint if exists {ident(fact.id.part)}"
    if _rebased(fact, context):
        return []
    if not all(fact.parent in side.digests for side in (context.before, context.after)):
        sql = w.guarded(f"not {w.missing('to_regtype', w.name(fact.id))}", sql)
    return [w.say(sql, f"check {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if old["definition"] != new["definition"]:
        if old["definition"] != f"{new['definition']} NOT VALID":
            return None if _rebased(new, context) else _said_anew(new, context)
        sql = f"alter domain {w.name(new.id)} validate constraint {ident(new.id.part)}"
        doubt = Hazard(
            HazardCode.DEPENDS_ON_DATA, f"Fails while a column of type {w.name(new.id)} breaks {new.id.part}."
        )
        found.append(w.say(sql, f"{new.id}: holds for the old rows too", new.id, doubt))
    if old["comment"] != new["comment"]:
        noun = f"constraint {ident(new.id.part)} on domain {w.name(new.id)}"
        found.append(w.commented(new, noun))
    return Alteration(tuple(found))


def _said_anew(new: Fact, context: Context) -> Alteration:
    """Another condition, unless it is there already: by then there may be values that PostgreSQL cannot look at."""
    if new.parent is not None and valid(new):
        refuse_inside(new.parent, context)
    domain, constraint = w.name(new.id), ident(new.id.part)
    there = (
        "(select pg_catalog.pg_get_constraintdef(oid) from pg_catalog.pg_constraint where contypid ="
        f" {literal(domain)}::pg_catalog.regtype and conname = {literal(new.id.part)})"
    )
    sql = w.guarded_in_full(
        f"{there} is distinct from {literal(new['definition'])}",
        f"alter domain {domain} drop constraint if exists {constraint}",
        f"alter domain {domain} add {definition(new)}",
    )
    doubt = Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a column of type {domain} breaks {new.id.part}.")
    found = [w.say(sql, f"{new.id}: another condition", new.id, *([doubt] if valid(new) else []))]
    return Alteration((*found, *dressed(new)))


def valid(fact: Fact) -> bool:
    """CREATE DOMAIN knows no NOT VALID."""
    return not fact["definition"].endswith(" NOT VALID")


KIND = Kind("domain_constraint", read, create, drop, alter, inline=valid)
