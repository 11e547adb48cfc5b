"""Foreign tables (manual: CREATE FOREIGN TABLE). Columns, defaults, constraints and triggers are facts of their own.

It holds no rows here, so it may be made anew; then its columns are written as they shall be, changed or not.
"""

from __future__ import annotations

from reconciler.catalog.kinds import column, constraint, foreign_options
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_class",
        "c.oid",
        schema="n.nspname",
        name="c.relname",
        attributes=r.attributes(
            **r.common("pg_class", "c", "rel", "r"),
            server="s.srvname",
            options=foreign_options.reading("f.ftoptions", "'foreign_table'", "n.nspname", "c.relname"),
            inherits="(select pg_catalog.jsonb_agg(i.inhparent::pg_catalog.regclass::text order by i.inhseqno)"
            " from pg_catalog.pg_inherits as i where i.inhrelid = c.oid and not c.relispartition)",
        ),
        source="pg_catalog.pg_foreign_table as f join pg_catalog.pg_class as c on c.oid = f.ftrelid join"
        " pg_catalog.pg_namespace as n on n.oid = c.relnamespace join pg_catalog.pg_foreign_server as s on"
        f" s.oid = f.ftserver where {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"foreign table {w.name(fact.id)}"


def _grants(fact: Fact) -> str:
    return f"table {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    after = context.after.children
    columns = [c for c in after.get(fact.id, ()) if c.id.kind == "column"]
    constraints = [p for p in parts if p.id.kind == "constraint"]
    lines = []
    for c in columns:
        if fact["inherits"] and c["inherited"]:
            continue
        default = next((d["expression"] for d in after.get(c.id, ()) if d.id.kind == "default"), None)
        lines.append(column.definition(c, default, context))
    lines += [constraint.definition(c) for c in constraints if not (fact["inherits"] and c["inherited"])]
    body = ("(\n  " + ",\n  ".join(lines) + "\n)") if lines else "()"
    parents = f" inherits ({', '.join(fact['inherits'])})" if fact["inherits"] else ""
    sql = (
        f"create foreign table if not exists {w.name(fact.id)} {body}{parents} server {ident(fact['server'])}"
        f"{foreign_options.clause(fact['options'])}"
    )
    found = [w.say(sql, f"new foreign table {fact.id}", fact.id)]
    found += w.dressed(fact, context, _noun(fact), "table", _grants(fact))
    for c in columns:
        found += column.dressed(c, context)
    for c in constraints:
        found += constraint.dressed(c, context)
    return found


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop foreign table if exists {w.name(fact.id)}"
    return [w.say(sql, f"foreign table {fact.id}: no longer declared; its rows are elsewhere", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["inherits"] != new["inherits"]:
        raise Unplannable(f"foreign table {new.id} would have to be given other parents")
    if old["server"] != new["server"]:
        return None
    current = (
        "(select ftoptions from pg_catalog.pg_foreign_table where ftrelid ="
        f" {literal(w.name(new.id))}::pg_catalog.regclass)"
    )
    found = foreign_options.changed(old["options"], new["options"], f"alter {_noun(new)}", current, new)
    return Alteration((*found, *w.redressed(old, new, context, _noun(new), "table", _grants(new))))


KIND = Kind("foreign_table", read, create, drop, alter)
