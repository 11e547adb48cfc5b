"""Objects of kinds we cannot compare: found, named, and left to a person.

The question is put the other way round than in `kinds/`: every row a user's object has in any catalog, minus the rows
the kinds read, minus what PostgreSQL made as an internal part of another object or an extension brought along. So a kind
that nobody has written is found as soon as somebody uses it, and so is an object that a kind overlooks.

Left out on purpose, besides the catalogs in `LEFT_OUT`: large objects (they are data: `pg_dump -s` does not print them
either) and, unless the scope says `cluster`, roles.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.scope import Scope


@dataclass(frozen=True, slots=True)
class Catalog:
    """One system catalog. `schema` is its column with the object's schema (0: none), `relation` with the table it is part of;
    without either, and with `outside`, its objects are looked at when those outside schemas are. `rows` narrows it to what
    is an object by itself. `source` replaces a catalog that ordinary roles may not read, or that lacks the schema."""

    name: str
    schema: str = ""
    relation: str = ""
    rows: str = "true"
    source: str = ""
    outside: bool = False
    since: int = 14

    def question(self, scope: Scope) -> str:
        """(classid, objid) of what users made."""
        beyond = r.cluster(scope) if self.name == "pg_authid" else r.outside(scope)
        found = (
            f"select 'pg_catalog.{self.name}'::pg_catalog.regclass::pg_catalog.oid as classid, o.oid as objid"
            f" from {self.source or f'pg_catalog.{self.name}'} as o"
        )
        where = [self.rows, "o.oid >= 16384"]
        if self.relation:
            found += f" join pg_catalog.pg_class as c on c.oid = o.{self.relation}"
            if self.name != "pg_policy":  # the one part that pg_dump prints of an extension's table
                where.append(r.no_member("pg_class", "c.oid"))
        if self.relation or self.schema:
            column = f"o.{self.schema}" if self.schema else "c.relnamespace"
            # OFFSET 0, so that each schema is judged once and not each object.
            found += (
                f" left join (select n.oid, {r.in_scope(scope)} as inside from pg_catalog.pg_namespace as n offset 0) as n"
                f" on n.oid = {column}"
            )
            where.append(f"case when n.oid is null then {beyond} else n.inside end")
        if self.outside or not (self.relation or self.schema):
            where.append(beyond)
        # NOT IN, because it is gathered once whatever the planner thinks of catalogs that nobody has analysed yet.
        where.append(
            "o.oid not in (select i.objid from pg_catalog.pg_depend as i where i.classid ="
            f" 'pg_catalog.{self.name}'::pg_catalog.regclass and i.objid >= 16384 and i.deptype in ('e', 'i'))"
        )
        return f"{found} where {' and '.join(where)}"


CATALOGS = (
    Catalog("pg_am"),
    Catalog("pg_attrdef", relation="adrelid", rows="not exists (select from pg_catalog.pg_attribute as a where"
            " a.attrelid = o.adrelid and a.attnum = o.adnum and a.attgenerated <> '')"),
    Catalog("pg_authid", source="pg_catalog.pg_roles"),
    Catalog("pg_cast"),
    Catalog("pg_class", schema="relnamespace"),
    Catalog("pg_collation", schema="collnamespace"),
    Catalog("pg_constraint", relation="conrelid", rows="o.contype not in ('n', 't') and not"
            " (o.contype = 'f' and o.conparentid <> 0)"),
    Catalog("pg_constraint", schema="connamespace", rows="o.contypid <> 0 and o.contype <> 'n' and not exists (select"
            " from pg_catalog.pg_depend as e where e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and e.objid ="
            " o.contypid and e.deptype = 'e')"),
    Catalog("pg_conversion", schema="connamespace"),
    Catalog("pg_default_acl", schema="defaclnamespace"),
    Catalog("pg_event_trigger", schema="pronamespace", outside=True, source="(select v.oid, p.pronamespace from"
            " pg_catalog.pg_event_trigger as v join pg_catalog.pg_proc as p on p.oid = v.evtfoid)"),
    Catalog("pg_extension", rows="o.extname <> 'plpgsql'"),
    Catalog("pg_foreign_data_wrapper"),
    Catalog("pg_foreign_server"),
    Catalog("pg_language"),
    Catalog("pg_namespace", source="(select oid, oid as itself from pg_catalog.pg_namespace)", schema="itself"),
    Catalog("pg_opclass", schema="opcnamespace"),
    Catalog("pg_operator", schema="oprnamespace", rows="o.oprcode <> 0"),
    Catalog("pg_opfamily", schema="opfnamespace"),
    Catalog("pg_policy", relation="polrelid"),
    Catalog("pg_proc", schema="pronamespace"),
    Catalog("pg_publication"),
    Catalog("pg_publication_namespace", schema="pnnspid", outside=True, since=15),
    Catalog("pg_publication_rel", relation="prrelid", outside=True),
    Catalog("pg_rewrite", relation="ev_class"),
    Catalog("pg_statistic_ext", schema="stxnamespace", relation="stxrelid"),
    Catalog("pg_subscription", source="(select oid, subdbid from pg_catalog.pg_subscription)",
            rows=f"o.subdbid = {r.HERE}"),
    Catalog("pg_transform"),
    Catalog("pg_trigger", relation="tgrelid", rows=f"not o.tgisinternal and o.tgparentid = 0 and {r.not_ours('o')}"),
    Catalog("pg_ts_config", schema="cfgnamespace"),
    Catalog("pg_ts_dict", schema="dictnamespace"),
    Catalog("pg_ts_parser", schema="prsnamespace"),
    Catalog("pg_ts_template", schema="tmplnamespace"),
    Catalog("pg_type", schema="typnamespace"),
    Catalog("pg_user_mapping", source="(select umid as oid from pg_catalog.pg_user_mappings)"),
)  # fmt: skip

LEFT_OUT = {
    "pg_amop": "part of its operator family or class",
    "pg_amproc": "part of its operator family or class",
    "pg_auth_members": "part of its role",
    "pg_database": "belongs to the server, and is no part of what a database declares",
    "pg_enum": "part of its type",
    "pg_largeobject_metadata": "large objects are data",
    "pg_parameter_acl": "belongs to the server: the administrator's",
    "pg_tablespace": "belongs to the server: the administrator's",
}
"""Catalogs whose rows are no objects of this program's, and why. A test compares both lists with the server's own."""


def question(scope: Scope, major: int) -> str:
    """(classid, objids) of every object users made, one row per catalog that holds any."""
    found = " union all ".join(catalog.question(scope) for catalog in CATALOGS if catalog.since <= major)
    return f"select f.classid, pg_catalog.array_agg(f.objid) as objids from ({found}) as f group by f.classid"


def named(
    connection: psycopg.Connection[Any],
    found: Iterable[tuple[int, list[int]]],
    known: Container[tuple[int, int, int]],
) -> tuple[str, ...]:
    """Those of the objects found that no kind has read, as `type identity`. Asks the server only when there are any.

    `known` are (classid, objid, 0) of what the kinds have read."""
    rest = [
        (classid, objid) for classid, objids in found for objid in objids if (classid, objid, 0) not in known
    ]
    if not rest:
        return ()
    rows = connection.cursor(row_factory=tuple_row).execute(
        "select i.type || ' ' || i.identity from rows from (pg_catalog.unnest(%s::pg_catalog.oid[]),"
        " pg_catalog.unnest(%s::pg_catalog.oid[])) as f(classid, objid), pg_catalog.pg_identify_object(f.classid, f.objid, 0) as i"
        " where i.type is not null and i.identity is not null order by 1",
        [[row[0] for row in rest], [row[1] for row in rest]],
    )
    return tuple(row[0] for row in rows)
