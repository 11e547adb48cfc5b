"""The SQL routines that move tables and sequences into the quarantine and out of it.

They stand in the migrations that call them, once each, so that a migration needs nothing but PostgreSQL. What they do is O(1):
names and a schema change, no row is touched. A routine whose arguments change gets another name: older migrations bring theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.pg import dollar

_PLPGSQL = "language plpgsql set search_path = '' set row_security = off as "


def _routine(head: str, body: str) -> str:
    return f"create or replace function reconciler_quarantine.{head}\n{_PLPGSQL}{dollar(body)}"


_FREE_NAME = _routine(
    "free_name(name text, tag text, near pg_catalog.oid) returns text",
    """
declare
  stem text := name;
  found text;
  number integer := 1;
begin
  -- At most 62 bytes: PostgreSQL puts an underscore before the name for the type of arrays of such rows.
  while pg_catalog.octet_length(stem) > 46 loop
    stem := pg_catalog.left(stem, -1);
  end loop;
  found := stem || '_' || pg_catalog.left(tag, 8);
  while exists (
    select from pg_catalog.pg_class as c
     where c.relname = found and c.relnamespace in ('reconciler_quarantine'::pg_catalog.regnamespace, near)
  ) or exists (
    select from pg_catalog.pg_type as t
     where t.typname in (found, '_' || found) and t.typnamespace in ('reconciler_quarantine'::pg_catalog.regnamespace, near)
  ) loop
    number := number + 1;
    found := stem || '_' || pg_catalog.left(tag, 8) || '_' || number;
  end loop;
  return found;
end
""",
)

_KEEP_TABLE = _routine(
    "keep_table(of_schema text, of_name text, of_tag text, unless_empty boolean) returns void",
    """
declare
  moved pg_catalog.pg_class;
  part record;
  kept_name text;
  part_name text;
  names jsonb := '{}';
  filled boolean;
begin
  select c.* into moved from pg_catalog.pg_class as c
   where c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema))
     and c.relname = of_name and c.relkind in ('r', 'p');
  if not found then
    return;
  end if;
  execute pg_catalog.format('lock table only %I.%I in access exclusive mode', of_schema, of_name);
  if unless_empty then
    begin
      execute pg_catalog.format('select exists (select from %I.%I)', of_schema, of_name) into filled;
    exception when insufficient_privilege then
      filled := true;  -- whoever may not see all rows cannot say that there are none
    end;
    if not filled then
      execute pg_catalog.format('drop table %I.%I', of_schema, of_name);
      return;
    end if;
  end if;
  for part in
    select c.relname, c.relkind from pg_catalog.pg_class as c
     where c.oid in (select i.indexrelid from pg_catalog.pg_index as i where i.indrelid = moved.oid)
        or c.relkind = 'S' and c.oid in (
          select d.objid from pg_catalog.pg_depend as d
           where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')
             and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = moved.oid and d.refobjsubid > 0)
     order by c.relname
  loop
    part_name := reconciler_quarantine.free_name(part.relname, of_tag, moved.relnamespace);
    execute pg_catalog.format('alter %s %I.%I rename to %I',
      case part.relkind when 'S' then 'sequence' else 'index' end, of_schema, part.relname, part_name);
    names := names || pg_catalog.jsonb_build_object(part_name, part.relname);
  end loop;
  kept_name := reconciler_quarantine.free_name(of_name, of_tag, moved.relnamespace);
  execute pg_catalog.format('alter table %I.%I rename to %I', of_schema, of_name, kept_name);
  execute pg_catalog.format('alter table %I.%I set schema reconciler_quarantine', of_schema, kept_name);
  insert into reconciler_quarantine.kept (tag, kind, schema, name, kept_as, names, rows)
  values (of_tag, 'table', of_schema, of_name, kept_name, names,
    case when moved.reltuples >= 0 then moved.reltuples::bigint end);
end
""",
)

_BRING_BACK_TABLE = _routine(
    "bring_back_table(of_schema text, of_name text, of_tag text) returns void",
    """
declare
  found_row reconciler_quarantine.kept;
  part record;
  taken text;
begin
  select k.* into found_row from reconciler_quarantine.kept as k
   where k.tag = of_tag and k.kind = 'table' and k.schema = of_schema and k.name = of_name
   order by k.id desc limit 1;
  if not found then
    return;
  end if;
  select c.relname into taken from pg_catalog.pg_class as c
   where c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema))
     and (c.relname = of_name or c.relname in (select value from pg_catalog.jsonb_each_text(found_row.names)))
   order by c.relname = of_name desc, c.relname limit 1;
  if found then
    raise exception 'table %.% cannot be brought back: somebody made another %.% meanwhile',
      pg_catalog.quote_ident(of_schema), pg_catalog.quote_ident(of_name),
      pg_catalog.quote_ident(of_schema), pg_catalog.quote_ident(taken)
      using errcode = 'duplicate_table',
        hint = pg_catalog.format('rename or drop that one and run this again; the rows are kept in reconciler_quarantine.%I',
          found_row.kept_as);
  end if;
  execute pg_catalog.format('alter table reconciler_quarantine.%I set schema %I', found_row.kept_as, of_schema);
  execute pg_catalog.format('alter table %I.%I rename to %I', of_schema, found_row.kept_as, of_name);
  for part in
    select c.relname, c.relkind, n.value as was
      from pg_catalog.jsonb_each_text(found_row.names) as n
      join pg_catalog.pg_class as c on c.relname = n.key
       and c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema))
     order by c.relname
  loop
    execute pg_catalog.format('alter %s %I.%I rename to %I',
      case part.relkind when 'S' then 'sequence' else 'index' end, of_schema, part.relname, part.was);
  end loop;
  delete from reconciler_quarantine.kept as k where k.id = found_row.id;
end
""",
)

ROUTINES: Mapping[str, str] = {
    "free_name": _FREE_NAME,
    "keep_table": _KEEP_TABLE,
    "bring_back_table": _BRING_BACK_TABLE,
}
"""name → its definition, those that others call first."""
