"""That a publication publishes a table, or some columns or rows of it (manual: ALTER PUBLICATION … ADD TABLE)."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    """Column lists and row filters exist since 15."""
    later = {}
    if major >= 15:
        later = {
            "columns": "(select pg_catalog.jsonb_agg(a.attname order by a.attname) from pg_catalog.pg_attribute as a"
            " where a.attrelid = c.oid and a.attnum = any (m.prattrs::pg_catalog.int2[]))",
            "filter": "pg_catalog.pg_get_expr(m.prqual, m.prrelid)",
        }
    return r.select(
        "pg_publication_rel",
        "m.oid",
        name="p.pubname",
        part="pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)",
        parent=("pg_publication", "p.oid", "0"),
        attributes=r.attributes(member="true", **later),
        source="pg_catalog.pg_publication_rel as m join pg_catalog.pg_publication as p on p.oid = m.prpubid join"
        " pg_catalog.pg_class as c on c.oid = m.prrelid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
        f" where {r.outside(scope)} and {r.in_scope(scope)} and {r.no_member('pg_publication', 'p.oid')}",
    )


def _published(fact: Fact) -> str:
    return (
        "exists (select from pg_catalog.pg_publication_rel as m join pg_catalog.pg_publication as p on p.oid = m.prpubid"
        f" where p.pubname = {literal(fact.id.name)} and m.prrelid = pg_catalog.to_regclass({literal(fact.id.part)}))"
    )


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    columns = f" ({', '.join(ident(c) for c in fact['columns'])})" if fact["columns"] else ""
    rows = f" where ({fact['filter']})" if fact["filter"] is not None else ""
    sql = w.guarded(
        f"not {_published(fact)}",
        f"alter publication {ident(fact.id.name)} add table only {fact.id.part}{columns}{rows}",
    )
    return [w.say(sql, f"{fact.id.name}: publishes {fact.id.part}", fact.id)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = w.guarded(
        _published(fact), f"alter publication {ident(fact.id.name)} drop table only {fact.id.part}"
    )
    return [w.say(sql, f"{fact.id.name}: no longer publishes {fact.id.part}", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    """Taken out and put in again in the same transaction: PostgreSQL can only set the whole list of tables at once."""
    wider = Hazard(
        HazardCode.WEAKENS_ISOLATION,
        f"Subscribers of {new.id.name} receive more of {new.id.part} than before.",
    )
    narrowed = (old["filter"] is None or old["filter"] == new["filter"]) and (
        old["columns"] is None or (set(new["columns"] or ()) <= set(old["columns"]) and new["columns"])
    )
    out, put = drop(old, context)[0], create(new, context, ())[0]
    hazards = () if narrowed else (wider,)
    return Alteration(
        (out, w.say(put.sql, f"{new.id.name}: publishes {new.id.part} differently", new.id, *hazards))
    )


KIND = Kind("publication_table", read, create, drop, alter)
