"""Views (manual: CREATE VIEW).

CREATE OR REPLACE can only add columns at the end; any other change of columns makes the view, and what stands on it,
anew.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident

COLUMNS = (
    "(select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.attname, pg_catalog.format_type(a.atttypid,"
    " a.atttypmod), a.attcollation::pg_catalog.regcollation::text) order by a.attnum) from pg_catalog.pg_attribute as a"
    " where a.attrelid = c.oid and a.attnum > 0)"
)
DRESS = (
    "(select pg_catalog.jsonb_object_agg(a.attname, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
    f"'acl', {r.column_acl('a.attacl', 'c.relowner')}, 'comment', {r.comment('pg_class', 'c.oid', 'a.attnum')},"
    " 'statistics', nullif(a.attstattarget, -1), 'options', a.attoptions, 'compression', nullif(a.attcompression, ''),"
    " 'storage', (select case when a.attstorage <> t.typstorage then a.attstorage end from pg_catalog.pg_type as t"
    " where t.oid = a.atttypid)))) from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and"
    " (c.relkind = 'm' or a.attacl is not null or"
    f" {r.comment('pg_class', 'c.oid', 'a.attnum')} is not null))"
)


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
            options="(select pg_catalog.jsonb_agg(o order by o) from pg_catalog.unnest(c.reloptions) as o)",
        ),
        source="pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
        f" where c.relkind = 'v' and {r.in_scope(scope)} and {r.no_member('pg_class', 'c.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"view {w.name(fact.id)}"


def _made(fact: Fact) -> str:
    options = f" with ({w.options(fact['options'])})" if fact["options"] else ""
    names = ", ".join(ident(column[0]) for column in fact["columns"] or ())
    columns = f" ({names})" if names else ""
    return f"create or replace view {w.name(fact.id)}{columns}{options} as\n{fact['query'].rstrip(';')}"


def dressed_columns(old: Fact | None, new: Fact, context: Context) -> list[Statement]:
    """Comments and grants on single columns of a view or materialized view."""
    before, after = (old["dress"] if old else None) or {}, new["dress"] or {}
    found = []
    for column in sorted({*before, *after}):
        was, now = before.get(column, {}), after.get(column, {})
        noun = f"column {ident(new.id.schema, new.id.name, column)}"
        if was.get("comment") != now.get("comment"):
            text = Fact(new.id, {"comment": now.get("comment")}, "")
            found.append(w.commented(text, noun))
        named = [
            {
                who: [
                    p.rstrip("*") + f" ({ident(column)})" + ("*" if p.endswith("*") else "")
                    for p in privileges
                ]
                for who, privileges in (state.get("acl") or {}).items()
            }
            for state in (was, now)
        ]
        found += w.granted(new, named[0], named[1], f"table {w.name(new.id)}")
    return found


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    old = context.before.facts.get(fact.id)
    found = [w.say(_made(fact), f"new view {fact.id}", fact.id, *(_weakened(old, fact) if old else []))]
    found += w.dressed(fact, context, _noun(fact), "table", f"table {w.name(fact.id)}")
    return found + dressed_columns(None, fact, context)


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [w.say(f"drop view if exists {w.name(fact.id)}", f"view {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if (old["query"], old["columns"]) != (new["query"], new["columns"]):
        before, after = old["columns"] or [], new["columns"] or []
        if after[: len(before)] != before:
            return None
        found.append(w.say(_made(new), f"{new.id}: new query", new.id, *_weakened(old, new)))
    elif old["options"] != new["options"]:
        found += w.changed_options(old["options"], new["options"], f"alter {_noun(new)}", new)
        if found:
            found[0] = w.say(found[0].sql, found[0].reason, new.id, *_weakened(old, new))
    found += w.redressed(old, new, context, _noun(new), "table", f"table {w.name(new.id)}")
    return Alteration((*found, *dressed_columns(old, new, context)))


def _weakened(old: Fact, new: Fact) -> list[Hazard]:
    risks = {
        "security_invoker": "reads with its owner's rights: the caller's row policies no longer apply",
        "security_barrier": "lets a function in a condition see rows before they are filtered",
    }
    return [
        Hazard(HazardCode.WEAKENS_ISOLATION, f"View {new.id} {words}.")
        for option, words in risks.items()
        if _on(old, option) and not _on(new, option)
    ]


def _on(fact: Fact, option: str) -> bool:
    values = {"true", "on", "1", "yes"}
    return any(p.split("=", 1)[0] == option and p.split("=", 1)[1] in values for p in fact["options"] or ())


KIND = Kind("view", read, create, drop, alter)
