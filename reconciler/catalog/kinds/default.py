"""Defaults of columns, of tables and of views (manual: ALTER TABLE … SET DEFAULT).

Apart from its column, because a default may use a function or a sequence that in turn needs the table.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_attrdef",
        "d.oid",
        schema="n.nspname",
        name="c.relname",
        part="a.attname",
        parent=("pg_class", "c.oid", "a.attnum"),
        attributes=r.attributes(
            expression="pg_catalog.pg_get_expr(d.adbin, d.adrelid)",
            view="case when c.relkind = 'v' then true end",
            foreign="case when c.relkind = 'f' then true end",
        ),
        source="pg_catalog.pg_attrdef as d join pg_catalog.pg_attribute as a on a.attrelid = d.adrelid and"
        " a.attnum = d.adnum join pg_catalog.pg_class as c on c.oid = d.adrelid join pg_catalog.pg_namespace as n on"
        f" n.oid = c.relnamespace where a.attgenerated = '' and not a.attisdropped and {r.in_scope(scope)}"
        f" and {r.no_member('pg_class', 'c.oid')}",
    )


def _action(fact: Fact, context: Context) -> str:
    """Children have defaults of their own, and keep them."""
    noun = "view" if fact["view"] else "foreign table" if fact["foreign"] else "table"
    only = "only " if fact.parent and w.has_children(fact.parent, context) else ""
    return f"alter {noun} {only}{w.name(fact.id)} alter column {ident(fact.id.part)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = f"{_action(fact, context)} set default {fact['expression']}"
    return [w.say(sql, f"{fact.id}: default {_short(fact['expression'])}", fact.id)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"{_action(fact, context)} drop default"
    if not _still_takes_a_default(fact, context):
        table, column = literal(w.name(fact.id)), literal(fact.id.part)
        condition = (
            "exists (select from pg_catalog.pg_attrdef as d join pg_catalog.pg_attribute as a on a.attrelid ="
            f" d.adrelid and a.attnum = d.adnum where d.adrelid = pg_catalog.to_regclass({table})"
            f" and a.attname = {column} and a.attgenerated = '')"
        )
        sql = w.guarded(condition, sql)
    return [w.say(sql, f"{fact.id}: no default", fact.id)]


def _still_takes_a_default(fact: Fact, context: Context) -> bool:
    """Whether DROP DEFAULT can run a second time: not on a column that is gone, generated or an identity by then."""
    before, after = (
        side.facts.get(fact.parent) if fact.parent else None for side in (context.before, context.after)
    )
    if (
        before is None or after is None or after["inherited"]
    ):  # with its parent a partition's becomes an identity
        return False
    return not after["generated"] and not after["identity"]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return Alteration(tuple(create(new, context, ())))


def _short(expression: str) -> str:
    line = " ".join(expression.split())
    return line if len(line) <= 40 else line[:39] + "…"


KIND = Kind("default", read, create, drop, alter, inline=True)
