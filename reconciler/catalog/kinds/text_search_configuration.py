"""Text search configurations: which dictionaries look at which token (manual: CREATE TEXT SEARCH CONFIGURATION)."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.text_search_parser import guarded
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident

MAPPINGS = (
    "(select pg_catalog.jsonb_object_agg(k.alias, k.dictionaries) from (select t.alias, pg_catalog.jsonb_agg("
    "pg_catalog.quote_ident(dn.nspname) || '.' || pg_catalog.quote_ident(d.dictname) order by m.mapseqno) as dictionaries"
    " from pg_catalog.pg_ts_config_map as m join pg_catalog.ts_token_type(c.cfgparser) as t on t.tokid = m.maptokentype"
    " join pg_catalog.pg_ts_dict as d on d.oid = m.mapdict join pg_catalog.pg_namespace as dn on"
    " dn.oid = d.dictnamespace where m.mapcfg = c.oid group by t.alias) as k)"
)


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_ts_config",
        "c.oid",
        schema="n.nspname",
        name="c.cfgname",
        attributes=r.attributes(
            owner=r.owner("c.cfgowner"),
            comment=r.comment("pg_ts_config", "c.oid"),
            parser="(select pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.prsname) from"
            " pg_catalog.pg_ts_parser as p join pg_catalog.pg_namespace as pn on pn.oid = p.prsnamespace where"
            " p.oid = c.cfgparser)",
            mappings=MAPPINGS,
        ),
        source="pg_catalog.pg_ts_config as c join pg_catalog.pg_namespace as n on n.oid = c.cfgnamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_ts_config', 'c.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"text search configuration {w.name(fact.id)}"


def _mapped(old: Fact | None, new: Fact) -> list[Statement]:
    """ALTER MAPPING FOR takes a token that has no mapping yet too: it is the form that can run twice."""
    before, after = (old["mappings"] if old else None) or {}, new["mappings"] or {}
    found = []
    for token in sorted({*before, *after}):
        if before.get(token) == after.get(token):
            continue
        if token in after:
            words = f"alter mapping for {ident(token)} with {', '.join(after[token])}"
        else:
            words = f"drop mapping if exists for {ident(token)}"
        found.append(w.say(f"alter {_noun(new)} {words}", f"{new.id}: token {token}", new.id))
    return found


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = guarded(fact, "pg_ts_config", "cfg", f"create {_noun(fact)} (parser = {fact['parser']})")
    made = w.say(sql, f"new text search configuration {fact.id}", fact.id)
    return [made, *_mapped(None, fact), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop text search configuration if exists {w.name(fact.id)}"
    return [w.say(sql, f"text search configuration {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["parser"] != new["parser"]:
        return None
    return Alteration((*_mapped(old, new), *w.redressed(old, new, context, _noun(new))))


KIND = Kind("text_search_configuration", read, create, drop, alter)
