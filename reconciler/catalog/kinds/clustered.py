"""By which index a table or materialized view is ordered on disk by CLUSTER (manual: ALTER TABLE … CLUSTER ON).

Apart from the index, because there can be only one: taking the mark off one and putting it on another is one change.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_index",
        "c.oid",
        sub="2",
        schema="n.nspname",
        name="c.relname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(index="i.relname", view="case when c.relkind = 'm' then true end"),
        source="pg_catalog.pg_index as x join pg_catalog.pg_class as i on i.oid = x.indexrelid join pg_catalog.pg_class"
        " as c on c.oid = x.indrelid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace where x.indisclustered"
        f" and c.relkind in ('r', 'p', 'm') and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def _alter(fact: Fact, guard: str = "") -> str:
    return f"alter {'materialized view' if fact['view'] else 'table'}{guard} {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = f"{_alter(fact)} cluster on {ident(fact['index'])}"
    return [w.say(sql, f"{fact.id}: clustered by {fact['index']}", fact.id)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"{_alter(fact, ' if exists')} set without cluster"
    return [w.say(sql, f"{fact.id}: no longer clustered", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return Alteration(tuple(create(new, context, ())))


KIND = Kind("clustered", read, create, drop, alter)
