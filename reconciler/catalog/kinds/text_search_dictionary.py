"""Text search dictionaries (manual: CREATE TEXT SEARCH DICTIONARY). Options change in place, the template does not."""

from __future__ import annotations

import re

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.text_search_parser import guarded
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement

_OPTION = re.compile(r"""\s*("(?:[^"]|"")+"|[^\s=]+)\s*=\s*(E?'(?:[^']|'')*'|[^,]+)(?:,|\Z)""")


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_ts_dict",
        "td.oid",
        schema="n.nspname",
        name="td.dictname",
        attributes=r.attributes(
            owner=r.owner("td.dictowner"),
            comment=r.comment("pg_ts_dict", "td.oid"),
            template="(select pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.tmplname) from"
            " pg_catalog.pg_ts_template as t join pg_catalog.pg_namespace as tn on tn.oid = t.tmplnamespace where"
            " t.oid = td.dicttemplate)",
            options="nullif(td.dictinitoption, '')",
        ),
        source="pg_catalog.pg_ts_dict as td join pg_catalog.pg_namespace as n on n.oid = td.dictnamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_ts_dict', 'td.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"text search dictionary {w.name(fact.id)}"


def _options(fact: Fact) -> dict[str, str]:
    """`{name: value}`, both as SQL: PostgreSQL keeps the options as it would write them itself."""
    return {name: value.strip() for name, value in _OPTION.findall(fact["options"] or "")}


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    options = "".join(f", {key} = {value}" for key, value in _options(fact).items())
    sql = guarded(
        fact, "pg_ts_dict", "dict", f"create {_noun(fact)} (template = {fact['template']}{options})"
    )
    made = w.say(sql, f"new text search dictionary {fact.id}", fact.id)
    return [made, *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop text search dictionary if exists {w.name(fact.id)}"
    return [w.say(sql, f"text search dictionary {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["template"] != new["template"]:
        return None
    before, after = _options(old), _options(new)
    found = []
    if old["options"] != new["options"]:
        # All of them, gone ones first: so that they are kept in the declared order. A name without value takes it away.
        words = ", ".join([*before, *(f"{key} = {value}" for key, value in after.items())])
        found.append(
            w.say(f"alter {_noun(new)} ({words})", f"{new.id}: {new['options'] or 'no options'}", new.id)
        )
    return Alteration((*found, *w.redressed(old, new, context, _noun(new))))


KIND = Kind("text_search_dictionary", read, create, drop, alter)
