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
  ) or exists (
    select from pg_catalog.pg_proc as p
     where p.proname = found and p.pronamespace in ('reconciler_quarantine'::pg_catalog.regnamespace, near)
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
  key text;
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
  -- A foreign key would go on holding the rows of the table it points to.
  for key in
    select k.conname from pg_catalog.pg_constraint as k
     where k.conrelid = moved.oid and k.contype = 'f' and k.conparentid = 0 and k.confrelid <> k.conrelid
     order by k.conname
  loop
    execute pg_catalog.format('alter table %I.%I drop constraint %I', of_schema, of_name, key);
  end loop;
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

_KEEP_SEQUENCE = _routine(
    "keep_sequence(of_schema text, of_name text, of_tag text, unless_unused boolean) returns void",
    """
declare
  moved pg_catalog.oid;
  kept_name text;
  used boolean;
begin
  select c.oid into moved from pg_catalog.pg_class as c
   where c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema))
     and c.relname = of_name and c.relkind = 'S'
     -- behind an identity column it is the column's
     and not exists (select from pg_catalog.pg_depend as d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      and d.objid = c.oid and d.deptype = 'i');
  if not found then
    return;
  end if;
  if unless_unused then
    execute pg_catalog.format('select is_called from %I.%I', of_schema, of_name) into used;
    if not used then
      begin
        execute pg_catalog.format('drop sequence %I.%I', of_schema, of_name);
        return;
      exception when dependent_objects_still_exist then
        null;  -- a table that is kept counts by it
      end;
    end if;
  end if;
  kept_name := reconciler_quarantine.free_name(of_name, of_tag, pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema)));
  execute pg_catalog.format('alter sequence %I.%I owned by none', of_schema, of_name);
  execute pg_catalog.format('alter sequence %I.%I rename to %I', of_schema, of_name, kept_name);
  execute pg_catalog.format('alter sequence %I.%I set schema reconciler_quarantine', of_schema, kept_name);
  insert into reconciler_quarantine.kept (tag, kind, schema, name, kept_as)
  values (of_tag, 'sequence', of_schema, of_name, kept_name);
end
""",
)

_DROP_UNLESS_NEEDED = _routine(
    "drop_unless_needed(command text, of_kind text, noun text, of_schema text, of_name text, signature text, of_tag text)"
    " returns void",
    """
declare
  kept_name text;
begin
  begin
    execute command;
    return;
  exception when dependent_objects_still_exist then
    null;  -- what is kept needs it
  end;
  kept_name := reconciler_quarantine.free_name(of_name, of_tag, pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema)));
  execute pg_catalog.format('alter %s %I.%I%s rename to %I', noun, of_schema, of_name, signature, kept_name);
  execute pg_catalog.format('alter %s %I.%I%s set schema reconciler_quarantine', noun, of_schema, kept_name, signature);
  insert into reconciler_quarantine.kept (tag, kind, schema, name, part, kept_as)
  values (of_tag, of_kind, of_schema, of_name, signature, kept_name);
end
""",
)

_BRING_BACK = _routine(
    "bring_back(of_kind text, noun text, of_schema text, of_name text, signature text, of_tag text) returns void",
    """
declare
  found_row reconciler_quarantine.kept;
begin
  select k.* into found_row from reconciler_quarantine.kept as k
   where k.tag = of_tag and k.kind = of_kind and k.schema = of_schema and k.name = of_name and k.part = signature
   order by k.id desc limit 1;
  if not found then
    return;
  end if;
  begin
    execute pg_catalog.format('alter %s reconciler_quarantine.%I%s set schema %I', noun, found_row.kept_as, signature, of_schema);
    execute pg_catalog.format('alter %s %I.%I%s rename to %I', noun, of_schema, found_row.kept_as, signature, of_name);
  exception when duplicate_table or duplicate_object or duplicate_function then
    raise exception '% % cannot be brought back: somebody made another one of that name meanwhile',
      of_kind, pg_catalog.quote_ident(of_schema) || '.' || pg_catalog.quote_ident(of_name) || signature
      using errcode = 'duplicate_object',
        hint = pg_catalog.format('rename or drop that one and run this again; the other is kept as reconciler_quarantine.%I',
          found_row.kept_as);
  end;
  delete from reconciler_quarantine.kept as k where k.id = found_row.id;
end
""",
)

_COPY_BACK = _routine(
    "copy_back(of_schema text, of_name text, of_tag text) returns void",
    """
declare
  found_row reconciler_quarantine.kept;
  target pg_catalog.oid := pg_catalog.to_regclass(pg_catalog.format('%I.%I', of_schema, of_name));
  source pg_catalog.pg_class;
  filled boolean;
  columns text;
  expressions text;
  part record;
begin
  select k.* into found_row from reconciler_quarantine.kept as k
   where k.tag = of_tag and k.kind = 'table' and k.schema = of_schema and k.name = of_name
   order by k.id desc limit 1;
  if not found then
    return;
  end if;
  select c.* into strict source from pg_catalog.pg_class as c
   where c.relnamespace = 'reconciler_quarantine'::pg_catalog.regnamespace and c.relname = found_row.kept_as;
  if source.relkind = 'r' then
    execute pg_catalog.format('select exists (select from only %I.%I)', of_schema, of_name) into filled;
    if filled then
      raise exception 'the rows of table %.% cannot be brought back: there are others in it',
        pg_catalog.quote_ident(of_schema), pg_catalog.quote_ident(of_name)
        using errcode = 'duplicate_table',
          hint = pg_catalog.format('move those away and run this again; the rows are kept in reconciler_quarantine.%I',
            found_row.kept_as);
    end if;
    select pg_catalog.string_agg(pg_catalog.quote_ident(n.attname), ', ' order by n.attnum),
           pg_catalog.string_agg(case when (o.atttypid, o.atttypmod) = (n.atttypid, n.atttypmod) then pg_catalog.quote_ident(n.attname)
             else pg_catalog.format('%I::text::%s', n.attname, pg_catalog.format_type(n.atttypid, n.atttypmod)) end, ', ' order by n.attnum)
      into columns, expressions
      from pg_catalog.pg_attribute as n
      join pg_catalog.pg_attribute as o on o.attname = n.attname
     where n.attrelid = target and o.attrelid = source.oid and n.attnum > 0 and not n.attisdropped and n.attgenerated = '';
    if columns is null then
      execute pg_catalog.format('insert into %I.%I select from only reconciler_quarantine.%I', of_schema, of_name, found_row.kept_as);
    else
      execute pg_catalog.format('insert into %I.%I (%s) overriding system value select %s from only reconciler_quarantine.%I',
        of_schema, of_name, columns, expressions, found_row.kept_as);
    end if;
  end if;
  for part in
    select n.objid::pg_catalog.regclass as new_one, o.objid::pg_catalog.regclass as old_one
      from pg_catalog.pg_depend as n
      join pg_catalog.pg_attribute as na on na.attrelid = n.refobjid and na.attnum = n.refobjsubid
      join pg_catalog.pg_attribute as oa on oa.attrelid = source.oid and oa.attname = na.attname
      join pg_catalog.pg_depend as o on o.refobjid = oa.attrelid and o.refobjsubid = oa.attnum
      join pg_catalog.pg_class as nc on nc.oid = n.objid and nc.relkind = 'S'
      join pg_catalog.pg_class as oc on oc.oid = o.objid and oc.relkind = 'S'
     where n.refobjid = target and n.refobjsubid > 0 and n.deptype in ('a', 'i') and o.deptype in ('a', 'i')
       and n.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
       and n.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
     order by na.attnum
  loop
    execute pg_catalog.format('select pg_catalog.setval(%L, last_value, is_called) from %s', part.new_one, part.old_one);
  end loop;
  for part in
    select i.inhrelid::pg_catalog.regclass as name from pg_catalog.pg_inherits as i where i.inhparent = source.oid order by i.inhrelid
  loop
    if source.relkind = 'p' then
      execute pg_catalog.format('alter table reconciler_quarantine.%I detach partition %s', found_row.kept_as, part.name);
    else
      execute pg_catalog.format('alter table %s no inherit reconciler_quarantine.%I', part.name, found_row.kept_as);
    end if;
  end loop;
  execute pg_catalog.format('drop table reconciler_quarantine.%I', found_row.kept_as);
  delete from reconciler_quarantine.kept as k where k.id = found_row.id;
end
""",
)

_VALIDATE_KEY = _routine(
    "validate_key(of_schema text, of_name text, key_name text) returns void",
    """
declare
  key pg_catalog.pg_constraint;
  message text;
  present text;
  equal text;
  shown text;
  lost bigint;
  samples text;
begin
  select k.* into key from pg_catalog.pg_constraint as k
   where k.conrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', of_schema, of_name))
     and k.conname = key_name and k.contype = 'f' and not k.convalidated;
  if not found then
    return;
  end if;
  begin
    execute pg_catalog.format('alter table %I.%I validate constraint %I', of_schema, of_name, key_name);
    return;
  exception when foreign_key_violation then
    get stacked diagnostics message = message_text;
  end;
  select pg_catalog.string_agg(pg_catalog.format('c.%I is not null', a.attname), ' and ' order by p.place),
         pg_catalog.string_agg(pg_catalog.format('p.%I = c.%I', b.attname, a.attname), ' and ' order by p.place),
         pg_catalog.string_agg(pg_catalog.format('c.%I', a.attname), ', ' order by p.place)
    into present, equal, shown
    from pg_catalog.unnest(key.conkey, key.confkey) with ordinality as p (own, other, place)
    join pg_catalog.pg_attribute as a on a.attrelid = key.conrelid and a.attnum = p.own
    join pg_catalog.pg_attribute as b on b.attrelid = key.confrelid and b.attnum = p.other;
  begin
    execute pg_catalog.format(
      'with lost as (select pg_catalog.concat_ws('', '', %s) as key from %s as c where %s and not exists (select from %s as p where %s))'
      ' select count(*), (select pg_catalog.string_agg(s.key, ''; '' order by s.key) from'
      ' (select distinct l.key from lost as l order by 1 limit 5) as s) from lost',
      shown, key.conrelid::pg_catalog.regclass, present, key.confrelid::pg_catalog.regclass, equal) into lost, samples;
  exception when others then
    raise exception '%', message using errcode = 'foreign_key_violation';
  end;
  raise exception '% rows of table % point to rows of % that are gone: foreign key % cannot be put back (%: %)',
    lost, key.conrelid::pg_catalog.regclass, key.confrelid::pg_catalog.regclass, pg_catalog.quote_ident(key_name),
    pg_catalog.replace(shown, 'c.', ''), samples
    using errcode = 'foreign_key_violation',
      hint = 'put the missing rows back, or change or delete those that point to them, and run this again';
end
""",
)

ROUTINES: Mapping[str, str] = {
    "free_name": _FREE_NAME,
    "keep_table": _KEEP_TABLE,
    "bring_back_table": _BRING_BACK_TABLE,
    "keep_sequence": _KEEP_SEQUENCE,
    "drop_unless_needed": _DROP_UNLESS_NEEDED,
    "bring_back": _BRING_BACK,
    "copy_back": _COPY_BACK,
    "validate_key": _VALIDATE_KEY,
}
"""name → its definition, those that others call first."""
