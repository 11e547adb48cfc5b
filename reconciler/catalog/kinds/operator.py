"""Operators (manual: CREATE OPERATOR). `part` is `(left, right)`; a prefix operator's left is NONE.

An operator names its commutator and negator without needing them: PostgreSQL makes a shell for one that is not there yet,
and fills it in when it is created.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, ObjectId, Statement
from reconciler.pg import ident, literal

ESTIMATORS = ("restrict", "join")
LATE = ("commutator", "negator", "hashes", "merges")
"""What ALTER OPERATOR can add since 17, but neither change nor take away."""


def _other(column: str) -> str:
    return (
        "(select pg_catalog.quote_ident(on_.nspname) || '.' || x.oprname from pg_catalog.pg_operator as x join"
        f" pg_catalog.pg_namespace as on_ on on_.oid = x.oprnamespace where x.oid = {column})"
    )


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_operator",
        "o.oid",
        schema="n.nspname",
        name="o.oprname",
        part="'(' || case when o.oprleft = 0 then 'NONE' else pg_catalog.format_type(o.oprleft, null) end || ', ' ||"
        " pg_catalog.format_type(o.oprright, null) || ')'",
        attributes=r.attributes(
            owner=r.owner("o.oprowner"),
            comment=r.comment("pg_operator", "o.oid"),
            left="case when o.oprleft <> 0 then pg_catalog.format_type(o.oprleft, null) end",
            right="pg_catalog.format_type(o.oprright, null)",
            function="o.oprcode::text",
            commutator=_other("o.oprcom"),
            negator=_other("o.oprnegate"),
            restrict="nullif(o.oprrest::text, '-')",
            join="nullif(o.oprjoin::text, '-')",
            hashes="nullif(o.oprcanhash, false)",
            merges="nullif(o.oprcanmerge, false)",
        ),
        source="pg_catalog.pg_operator as o join pg_catalog.pg_namespace as n on n.oid = o.oprnamespace where"
        f" o.oprcode <> 0 and {r.in_scope(scope)} and {r.no_member('pg_operator', 'o.oid')}",
    )


def _symbol(id: ObjectId) -> str:
    return f"{ident(id.schema)}.{id.name}"


def _noun(fact: Fact) -> str:
    return f"operator {_symbol(fact.id)} {fact.id.part}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    clauses = {
        "function": fact["function"],
        "leftarg": fact["left"],
        "rightarg": fact["right"],
        **{key: f"operator({fact[key]})" for key in ("commutator", "negator") if fact[key]},
        **{key: fact[key] for key in ESTIMATORS},
    }
    lines = [f"{key} = {value}" for key, value in clauses.items() if value is not None]
    lines += [key for key in ("hashes", "merges") if fact[key]]
    # A shell is there under the name, but is no operator yet.
    there = (
        "exists (select from pg_catalog.pg_operator where oprcode <> 0 and oid ="
        f" pg_catalog.to_regoperator({literal(_reference(fact))}))"
    )
    sql = w.guarded(f"not {there}", f"create operator {_symbol(fact.id)} ({', '.join(lines)})")
    return [w.say(sql, f"new operator {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact))]


def _reference(fact: Fact) -> str:
    """As to_regoperator() reads it."""
    return f"{_symbol(fact.id)}({fact['left'] or 'none'}, {fact['right']})"


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop operator if exists {_symbol(fact.id)} {fact.id.part}"
    return [w.say(sql, f"operator {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    late = [key for key in LATE if old[key] != new[key]]
    if old["function"] != new["function"] or any(old[key] for key in late) or (late and context.major < 17):
        return None
    settings = [f"{key} = {new[key] or 'none'}" for key in ESTIMATORS if old[key] != new[key]]
    settings += [f"{key} = operator({new[key]})" for key in late if key in ("commutator", "negator")]
    settings += [key for key in late if key in ("hashes", "merges")]
    found = []
    if settings:
        words = ", ".join(settings)
        found.append(w.say(f"alter {_noun(new)} set ({words})", f"{new.id}: {words}", new.id))
    return Alteration((*found, *w.redressed(old, new, context, _noun(new))))


KIND = Kind("operator", read, create, drop, alter)
