"""Materialized views (manual: CREATE MATERIALIZED VIEW). Its rows can be computed again, so it may be made anew."""

from __future__ import annotations

import re

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.column import COMPRESSION, STORAGE, type_storage
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.view import COLUMNS, DRESS, dressed_columns
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident

_COMPUTES = re.compile(r"::|[(/%]")
"""A query that does more than pick columns can fail on a row: by a cast, a domain, a division."""


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_class",
        "c.oid",
        schema="n.nspname",
        name="c.relname",
        attributes=r.attributes(
            **r.common("pg_class", "c", "rel", "r"),
            query="pg_catalog.pg_get_viewdef(c.oid)",
            columns=COLUMNS,
            dress=DRESS,
            options="(select pg_catalog.jsonb_agg(o order by o) from pg_catalog.unnest(c.reloptions || (select"
            " pg_catalog.array_agg('toast.' || x) from pg_catalog.pg_class as tc,"
            " pg_catalog.unnest(tc.reloptions) as x where tc.oid = c.reltoastrelid)) as o)",
            access_method="(select nullif(m.amname, 'heap') from pg_catalog.pg_am as m where m.oid = c.relam)",
            extensions=r.extensions("pg_class", "c.oid"),
            tablespace="(select s.spcname from pg_catalog.pg_tablespace as s where s.oid = c.reltablespace)",
        ),
        source="pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
        f" where c.relkind = 'm' and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"materialized view {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    names = ", ".join(ident(column[0]) for column in fact["columns"] or ())
    using = f" using {ident(fact['access_method'])}" if fact["access_method"] else ""
    options = f" with ({w.options(fact['options'])})" if fact["options"] else ""
    space = f" tablespace {ident(fact['tablespace'])}" if fact["tablespace"] else ""
    sql = (
        f"create materialized view if not exists {w.name(fact.id)}{f' ({names})' if names else ''}{using}{options}{space}"
        f" as\n{fact['query'].rstrip(';')}"
    )
    doubts = []
    if _COMPUTES.search(fact["query"]):
        doubts.append(
            Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while the query of {fact.id} fails on a row of now.")
        )
    found = [w.say(sql, f"new materialized view {fact.id}", fact.id, *doubts)]
    found += w.dressed(fact, context, _noun(fact), "table", f"table {w.name(fact.id)}")
    found += w.tied(None, fact, _noun(fact))
    return [*found, *dressed_columns(None, fact, context), *_stored(None, fact, context)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop materialized view if exists {w.name(fact.id)}"
    return [w.say(sql, f"materialized view {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if (old["query"], old["columns"]) != (new["query"], new["columns"]):
        return None
    found = w.changed_options(old["options"], new["options"], f"alter {_noun(new)}", new)
    if old["access_method"] != new["access_method"]:
        method = ident(new["access_method"] or "heap")
        slow = Hazard(HazardCode.REWRITES_TABLE, f"Rewrites {new.id} under an exclusive lock.")
        sql = f"alter {_noun(new)} set access method {method}"
        found.append(w.say(sql, f"{new.id}: stored by {method}", new.id, slow))
    if old["tablespace"] != new["tablespace"]:
        space = ident(new["tablespace"] or "pg_default")
        found.append(
            w.say(f"alter {_noun(new)} set tablespace {space}", f"{new.id}: in tablespace {space}", new.id)
        )
    found += w.redressed(old, new, context, _noun(new), "table", f"table {w.name(new.id)}")
    found += w.tied(old, new, _noun(new))
    return Alteration((*found, *dressed_columns(old, new, context), *_stored(old, new, context)))


def _stored(old: Fact | None, new: Fact, context: Context) -> list[Statement]:
    """How single columns are stored and counted."""
    found = []
    types = {column[0]: column[1] for column in new["columns"] or ()}
    for name, now in sorted((new["dress"] or {}).items()):
        was = ((old["dress"] if old else None) or {}).get(name, {})
        action = f"alter {_noun(new)} alter column {ident(name)}"
        for key, words in (("statistics", -1), ("storage", STORAGE), ("compression", COMPRESSION)):
            if was.get(key) == now.get(key):
                continue
            value = words.get(now.get(key), "default") if isinstance(words, dict) else now.get(key, words)
            if (key, value) == ("storage", "default") and context.major < 16:
                value = STORAGE[type_storage(types[name])]
            found.append(w.say(f"{action} set {key} {value}", f"{new.id}.{name}: {key}", new.id))
        found += w.changed_options(was.get("options"), now.get("options"), action, new)
    return found


KIND = Kind("materialized_view", read, create, drop, alter)
