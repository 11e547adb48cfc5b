"""Objects of kinds we cannot compare: found, named, and left to a person.

The question is put the other way round than in `kinds/`: everything that PostgreSQL's catalogs hold beyond the system's
own, minus the catalogs some kind reads. So a kind nobody thought of is found too.
"""

from __future__ import annotations

from reconciler.catalog.scope import Scope


def query(scope: Scope) -> str:
    """(type, identity) of every object no kind reads."""
    parts = []
    for catalog, (kind, condition) in UNREAD.items():
        parts.append(
            f"select '{kind}' as kind, (pg_catalog.pg_identify_object('pg_catalog.{catalog}'::pg_catalog.regclass, o.oid, 0)).identity"
            f" as identity from pg_catalog.{catalog} as o where {condition} and not exists (select from"
            f" pg_catalog.pg_depend as e where e.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass and"
            " e.objid = o.oid and e.deptype = 'e')"
            + (
                f" and exists (select from pg_catalog.pg_namespace as n where n.oid = o.{NAMESPACE[catalog]} and {scope.sql('n.nspname')})"
                if catalog in NAMESPACE
                else ("" if scope.outside else " and false")
            )
        )
    return " union all ".join(parts) + " order by 1, 2"


NAMESPACE = {
    "pg_proc": "pronamespace", "pg_type": "typnamespace", "pg_operator": "oprnamespace", "pg_opclass": "opcnamespace",
    "pg_opfamily": "opfnamespace", "pg_collation": "collnamespace", "pg_conversion": "connamespace",
    "pg_ts_config": "cfgnamespace", "pg_ts_dict": "dictnamespace", "pg_ts_parser": "prsnamespace",
    "pg_ts_template": "tmplnamespace", "pg_statistic_ext": "stxnamespace", "pg_class": "relnamespace",
}  # fmt: skip

UNREAD = {
    "pg_proc": ("aggregate", "o.prokind = 'a'"),
    "pg_type": (
        "type",
        "(o.typtype in ('r', 'p') or o.typtype = 'b' and o.typcategory <> 'A') and o.oid >= 16384",
    ),
    "pg_class": ("foreign table", "o.relkind = 'f'"),
    "pg_operator": ("operator", "o.oid >= 16384"),
    "pg_opclass": ("operator class", "o.oid >= 16384"),
    "pg_opfamily": ("operator family", "o.oid >= 16384"),
    "pg_collation": ("collation", "o.oid >= 16384"),
    "pg_conversion": ("conversion", "o.oid >= 16384"),
    "pg_ts_config": ("text search configuration", "o.oid >= 16384"),
    "pg_ts_dict": ("text search dictionary", "o.oid >= 16384"),
    "pg_ts_parser": ("text search parser", "o.oid >= 16384"),
    "pg_ts_template": ("text search template", "o.oid >= 16384"),
    "pg_statistic_ext": ("statistics object", "true"),
    "pg_cast": ("cast", "o.oid >= 16384"),
    "pg_language": ("language", "o.oid >= 16384"),
    "pg_transform": ("transform", "true"),
    "pg_am": ("access method", "o.oid >= 16384"),
    "pg_event_trigger": ("event trigger", "true"),
    "pg_publication": ("publication", "true"),
    "pg_foreign_data_wrapper": ("foreign-data wrapper", "true"),
    "pg_foreign_server": ("server", "true"),
    "pg_default_acl": ("default privileges", "true"),
}
"""catalog → (what to call it, which of its rows)."""


def sentence(row: tuple[str, ...]) -> str:
    return f"{row[0]} {row[1]}"
