"""By what a table's rows are recognised in logical replication (manual: ALTER TABLE … REPLICA IDENTITY).

Apart from its table, because it may name an index that comes later and can be made anew.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident

WORDS = {"n": "nothing", "f": "full"}


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_index",
        "c.oid",
        sub="1",
        schema="n.nspname",
        name="c.relname",
        parent=("pg_class", "c.oid", "0"),
        attributes=r.attributes(mode="c.relreplident", index="i.relname"),
        source="pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace left join"
        " (pg_catalog.pg_index as x join pg_catalog.pg_class as i on i.oid = x.indexrelid) on x.indrelid = c.oid and"
        " x.indisreplident and c.relreplident = 'i' where c.relkind in ('r', 'p') and c.relreplident <> 'd'"
        f" and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    # When its index is gone PostgreSQL keeps the mode `i`, which then means nothing.
    words = WORDS.get(fact["mode"]) or (f"using index {ident(fact['index'])}" if fact["index"] else "nothing")
    sql = f"alter table {w.name(fact.id)} replica identity {words}"
    return [w.say(sql, f"{fact.id}: rows are replicated by {words.removeprefix('using ')}", fact.id)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"alter table if exists {w.name(fact.id)} replica identity default"
    return [w.say(sql, f"{fact.id}: rows are replicated by their primary key", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return Alteration(tuple(create(new, context, ())))


KIND = Kind("replica_identity", read, create, drop, alter)
