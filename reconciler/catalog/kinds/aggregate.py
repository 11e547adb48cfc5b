"""Aggregate functions, plain, ordered-set and hypothetical-set (manual: CREATE AGGREGATE).

Identity is the name with the types of all arguments, as for functions. CREATE OR REPLACE takes every new definition but
another result or another kind of aggregate: then it is made anew.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.function import ARGUMENTS
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import literal

FUNCTIONS = {
    "sfunc": "aggtransfn",
    "finalfunc": "aggfinalfn",
    "combinefunc": "aggcombinefn",
    "serialfunc": "aggserialfn",
    "deserialfunc": "aggdeserialfn",
    "msfunc": "aggmtransfn",
    "minvfunc": "aggminvtransfn",
    "mfinalfunc": "aggmfinalfn",
}
MODIFY = {"r": "read_only", "s": "shareable", "w": "read_write"}
PARALLEL = {"s": "safe", "r": "restricted"}


def _modify(column: str) -> str:
    """What the final function does to its state; the default depends on the kind (manual: finalfunc_modify)."""
    return f"nullif({column}, case when a.aggkind = 'n' then 'r'::\"char\" else 'w' end)"


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_proc",
        "p.oid",
        schema="n.nspname",
        name="p.proname",
        part=ARGUMENTS,
        attributes=r.attributes(
            **r.common("pg_proc", "p", "pro", "f"),
            arguments="pg_catalog.pg_get_function_arguments(p.oid)",
            result="pg_catalog.format_type(p.prorettype, null)",
            type="nullif(a.aggkind, 'n')",
            direct="nullif(a.aggnumdirectargs, 0)",
            stype="pg_catalog.format_type(a.aggtranstype, null)",
            sspace="nullif(a.aggtransspace, 0)",
            initcond="a.agginitval",
            finalfunc_extra="nullif(a.aggfinalextra, false)",
            finalfunc_modify=_modify("a.aggfinalmodify"),
            mstype="case when a.aggmtranstype <> 0 then pg_catalog.format_type(a.aggmtranstype, null) end",
            msspace="nullif(a.aggmtransspace, 0)",
            minitcond="a.aggminitval",
            mfinalfunc_extra="nullif(a.aggmfinalextra, false)",
            mfinalfunc_modify=_modify("a.aggmfinalmodify"),
            sortop="(select pg_catalog.quote_ident(op.nspname) || '.' || o.oprname from pg_catalog.pg_operator as o"
            " join pg_catalog.pg_namespace as op on op.oid = o.oprnamespace where o.oid = a.aggsortop)",
            parallel="nullif(p.proparallel, 'u')",
            **{key: f"nullif(a.{column}::text, '-')" for key, column in FUNCTIONS.items()},
        ),
        source="pg_catalog.pg_aggregate as a join pg_catalog.pg_proc as p on p.oid = a.aggfnoid join"
        f" pg_catalog.pg_namespace as n on n.oid = p.pronamespace where {r.in_scope(scope)} and"
        f" {r.no_member('pg_proc', 'p.oid')}",
    )


def _called(fact: Fact) -> str:
    """The aggregate as ALTER, COMMENT and DROP AGGREGATE call it; one without arguments is `name(*)`."""
    return w.name(fact.id) + ("(*)" if fact.id.part == "()" else fact.id.part)


def _noun(fact: Fact) -> str:
    return f"aggregate {_called(fact)}"


def _target(fact: Fact) -> str:
    """GRANT knows aggregates as functions."""
    return f"function {w.routine(fact.id)}"


def _definition(fact: Fact) -> str:
    clauses = {
        **{key: fact[key] for key in FUNCTIONS},
        "stype": fact["stype"],
        "sspace": fact["sspace"],
        "initcond": _text(fact["initcond"]),
        "finalfunc_extra": fact["finalfunc_extra"],
        "finalfunc_modify": MODIFY.get(fact["finalfunc_modify"] or ""),
        "mstype": fact["mstype"],
        "msspace": fact["msspace"],
        "minitcond": _text(fact["minitcond"]),
        "mfinalfunc_extra": fact["mfinalfunc_extra"],
        "mfinalfunc_modify": MODIFY.get(fact["mfinalfunc_modify"] or "") if fact["mfinalfunc"] else None,
        "sortop": f"operator({fact['sortop']})" if fact["sortop"] else None,
        "parallel": PARALLEL.get(fact["parallel"] or ""),
        "hypothetical": True if fact["type"] == "h" else None,
    }
    lines = [
        key if value is True else f"{key} = {value}" for key, value in clauses.items() if value is not None
    ]
    arguments = fact["arguments"] or "*"
    return f"create or replace aggregate {w.name(fact.id)}({arguments}) (\n  " + ",\n  ".join(lines) + "\n)"


def _text(value: str | None) -> str | None:
    return None if value is None else literal(value)


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    made = w.say(_definition(fact), f"new aggregate {fact.id}", fact.id)
    return [made, *w.dressed(fact, context, _noun(fact), "function", _target(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop aggregate if exists {_called(fact)}"
    return [w.say(sql, f"aggregate {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if _definition(old) != _definition(new):
        if any(old[key] != new[key] for key in ("result", "type", "direct", "arguments")):
            return None
        found.append(w.say(_definition(new), f"{new.id}: new definition", new.id))
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), "function", _target(new))))


KIND = Kind("aggregate", read, create, drop, alter)
