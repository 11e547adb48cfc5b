"""The SQL routines that move tables and sequences into the quarantine and out of it.

They stand in the migrations that call them, once each, so that a migration needs nothing but PostgreSQL. What they do is O(1):
names and a schema change, no row is touched. A routine whose arguments change gets another name: older migrations bring theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.pg import dollar

_PLPGSQL = "language plpgsql set search_path = '' set row_security = off "


_PRINTING = "".join(
    f"set {name} = '{value}' "
    for name, value in (
        ("datestyle", "ISO, YMD"), ("intervalstyle", "iso_8601"), ("timezone", "UTC"), ("extra_float_digits", "3"), ("bytea_output", "hex"),
        ("xmloption", "content"), ("lc_monetary", "C"),
    )
)  # fmt: skip
"""What the text of a value depends on: it is read as it was written."""


def _routine(head: str, body: str, settings: str = "") -> str:
    return f"create or replace function reconciler_quarantine.{head}\n{_PLPGSQL}{settings}as {dollar(body)}"


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
    "bring_back_table(of_schema text, of_name text, of_tag text, later text[]) returns void",
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
     and c.relname <> all (later)
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
     where n.value <> all (later)
     order by c.relname
  loop
    execute pg_catalog.format('alter %s %I.%I rename to %I',
      case part.relkind when 'S' then 'sequence' else 'index' end, of_schema, part.relname, part.was);
  end loop;
  -- A name that another object still bears comes back when that one has given it up.
  insert into reconciler_quarantine.kept (tag, kind, schema, name, kept_as)
  select of_tag, 'name', of_schema, n.value, n.key from pg_catalog.jsonb_each_text(found_row.names) as n where n.value = any (later);
  delete from reconciler_quarantine.kept as k where k.id = found_row.id;
end
""",
)

_BRING_BACK_NAME = _routine(
    "bring_back_name(of_schema text, of_name text, of_tag text) returns void",
    """
declare
  part record;
begin
  for part in
    select k.id, c.relkind, c.relname from reconciler_quarantine.kept as k
      join pg_catalog.pg_class as c on c.relname = k.kept_as
       and c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema))
     where k.tag = of_tag and k.kind = 'name' and k.schema = of_schema and k.name = of_name
     order by k.id
  loop
    execute pg_catalog.format('alter %s %I.%I rename to %I',
      case part.relkind when 'S' then 'sequence' else 'index' end, of_schema, part.relname, of_name);
    delete from reconciler_quarantine.kept as k where k.id = part.id;
  end loop;
end
""",
)

_BRING_BACK_OWNED = _routine(
    "bring_back_owned(of_schema text, of_name text, table_name text, table_tag text) returns void",
    """
declare
  found_row reconciler_quarantine.kept;
  kept_name text;
begin
  select k.* into found_row from reconciler_quarantine.kept as k
   where k.tag = table_tag and k.kind = 'table' and k.schema = of_schema and k.name = table_name
   order by k.id desc limit 1;
  select n.key into kept_name from pg_catalog.jsonb_each_text(found_row.names) as n
    join pg_catalog.pg_class as c on c.relname = n.key and c.relkind = 'S'
     and c.relnamespace = 'reconciler_quarantine'::pg_catalog.regnamespace
   where n.value = of_name;
  if not found then
    return;
  end if;
  -- The table follows in a moment, and owns it again.
  execute pg_catalog.format('alter sequence reconciler_quarantine.%I owned by none', kept_name);
  execute pg_catalog.format('alter sequence reconciler_quarantine.%I set schema %I', kept_name, of_schema);
  execute pg_catalog.format('alter sequence %I.%I rename to %I', of_schema, kept_name, of_name);
  update reconciler_quarantine.kept as k set names = k.names - kept_name where k.id = found_row.id;
end
""",
)

_LET_GO = _routine(
    "let_go(of_schema text, of_name text, parent_schema text, parent_name text) returns void",
    """
declare
  child pg_catalog.oid := pg_catalog.to_regclass(pg_catalog.format('%I.%I', of_schema, of_name));
  bound text;
begin
  if not exists (
    select from pg_catalog.pg_inherits as i
     where i.inhrelid = child and i.inhparent = pg_catalog.to_regclass(pg_catalog.format('%I.%I', parent_schema, parent_name))
  ) then
    return;
  end if;
  bound := pg_catalog.pg_get_partition_constraintdef(child);
  if bound is not null then
    execute pg_catalog.format('alter table %I.%I add constraint reconciler_bound check (%s) not valid', of_schema, of_name, bound);
  end if;
  execute pg_catalog.format('alter table %I.%I detach partition %I.%I', parent_schema, parent_name, of_schema, of_name);
end
""",
)

_GIVE_KEYS = _routine(
    "give_keys(of_schema text, of_name text, of_tag text, definitions text[]) returns void",
    """
declare
  here text;
  definition text;
begin
  select k.kept_as into here from reconciler_quarantine.kept as k
   where k.tag = of_tag and k.kind = 'table' and k.schema = of_schema and k.name = of_name
   order by k.id desc limit 1;
  if not found then
    return;
  end if;
  foreach definition in array definitions loop
    begin
      execute pg_catalog.format('alter table reconciler_quarantine.%I add %s not valid', here, definition);
    exception when duplicate_object then
      null;  -- from a run that was interrupted
    end;
  end loop;
end
""",
)

_CHECK_KEPT = _routine(
    "check_kept(of_schema text, of_name text, of_tag text) returns void",
    """
declare
  here text;
  rule record;
begin
  select k.kept_as into here from reconciler_quarantine.kept as k
   where k.tag = of_tag and k.kind = 'table' and k.schema = of_schema and k.name = of_name
   order by k.id desc limit 1;
  if not found then
    return;
  end if;
  for rule in
    select c.conname, c.contype from pg_catalog.pg_constraint as c
     where c.conrelid = pg_catalog.to_regclass(pg_catalog.format('reconciler_quarantine.%I', here))
       and c.contype in ('c', 'f') and not c.convalidated and c.conparentid = 0
     order by c.conname
  loop
    if rule.contype = 'f' then
      perform reconciler_quarantine.validate_key('reconciler_quarantine', here, rule.conname);
    else
      execute pg_catalog.format('alter table reconciler_quarantine.%I validate constraint %I', here, rule.conname);
    end if;
  end loop;
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
  computed bigint;
begin
  begin
    -- Before PostgreSQL 15 a generated column goes without a word, and without CASCADE, with what it is computed by.
    if pg_catalog.current_setting('server_version_num')::integer < 150000 then
      select pg_catalog.count(*) into computed from pg_catalog.pg_attribute as a where a.attgenerated <> '' and not a.attisdropped;
    end if;
    execute command;
    if computed is null or computed <= (
      select pg_catalog.count(*) from pg_catalog.pg_attribute as a where a.attgenerated <> '' and not a.attisdropped
    ) then
      return;
    end if;
    raise dependent_objects_still_exist;
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

_DROP_OR_REFUSE = _routine(
    "drop_or_refuse(command text, what text) returns void",
    """
declare
  detail text;
begin
  execute command;
exception when dependent_objects_still_exist then
  get stacked diagnostics detail = pg_exception_detail;
  raise exception '% cannot be dropped now: what is kept needs it (%)', what, detail
    using errcode = 'dependent_objects_still_exist',
      hint = 'drop it in a later plan, after reconciler purge, or let this one destroy: reconciler apply --destroy';
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

_KEEP_COPY = _routine(
    "keep_copy(of_schema text, of_name text, of_tag text, unless_empty boolean, as_text text[]) returns void",
    """
declare
  moved pg_catalog.pg_class;
  kept_name text;
  expressions text;
  counters jsonb := '{}';
  counter record;
  last bigint;
  called boolean;
  filled boolean;
  number bigint;
begin
  select c.* into moved from pg_catalog.pg_class as c
   where c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(of_schema))
     and c.relname = of_name and c.relkind in ('r', 'p');
  if not found then
    return;
  end if;
  if moved.relkind = 'p' then  -- its rows were in its partitions
    if exists (select from pg_catalog.pg_inherits as i where i.inhparent = moved.oid) then
      raise exception 'table %.% still has partitions', pg_catalog.quote_ident(of_schema), pg_catalog.quote_ident(of_name)
        using errcode = 'dependent_objects_still_exist';
    end if;
    execute pg_catalog.format('drop table %I.%I', of_schema, of_name);
    return;
  end if;
  execute pg_catalog.format('lock table only %I.%I in access exclusive mode', of_schema, of_name);
  if moved.relforcerowsecurity then  -- it would hide rows from its owner
    execute pg_catalog.format('alter table %I.%I no force row level security', of_schema, of_name);
  end if;
  if unless_empty then
    execute pg_catalog.format('select exists (select from only %I.%I)', of_schema, of_name) into filled;
    if not filled then
      execute pg_catalog.format('drop table %I.%I', of_schema, of_name);
      return;
    end if;
  end if;
  -- As the type's own output function prints it: a cast to text may be somebody's.
  select pg_catalog.string_agg(case when a.attname = any (as_text)
           then pg_catalog.format('case when pg_catalog.num_nulls(%1$I) = 0 then pg_catalog.format(''%%s'', %1$I) end as %1$I', a.attname) else pg_catalog.quote_ident(a.attname) end, ', ' order by a.attnum)
    into expressions
    from pg_catalog.pg_attribute as a
   where a.attrelid = moved.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  for counter in
    select a.attname, d.objid::pg_catalog.regclass as name
      from pg_catalog.pg_depend as d
      join pg_catalog.pg_class as c on c.oid = d.objid and c.relkind = 'S'
      join pg_catalog.pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
     where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       and d.refobjid = moved.oid and d.deptype in ('a', 'i')
     order by a.attnum
  loop
    execute pg_catalog.format('select last_value, is_called from %s', counter.name) into last, called;
    counters := counters || pg_catalog.jsonb_build_object(counter.attname, pg_catalog.jsonb_build_array(last, called));
  end loop;
  kept_name := reconciler_quarantine.free_name(of_name, of_tag, moved.relnamespace);
  execute pg_catalog.format('create table reconciler_quarantine.%I as select %s from only %I.%I',
    kept_name, coalesce(expressions, ''), of_schema, of_name);
  get diagnostics number = row_count;
  execute pg_catalog.format('drop table %I.%I', of_schema, of_name);
  insert into reconciler_quarantine.kept (tag, kind, schema, name, kept_as, names, rows)
  values (of_tag, 'table', of_schema, of_name, kept_name, pg_catalog.jsonb_build_object('', counters), number);
end
""",
    _PRINTING,
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
             else pg_catalog.format('case when pg_catalog.num_nulls(%1$I) = 0 then pg_catalog.format(''%%s'', %1$I) end::%2$s', n.attname,
               pg_catalog.format_type(n.atttypid, n.atttypmod)) end, ', ' order by n.attnum)
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
    select a.attname, c.oid::pg_catalog.regclass as name, old.name as was
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_class as c on c.relkind = 'S' and (c.oid in (
          select d.objid from pg_catalog.pg_depend as d
           where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')
             and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = target and d.refobjsubid = a.attnum)
        or c.oid in (  -- it may not belong to its column yet, whose default speaks of it
          select d.refobjid from pg_catalog.pg_depend as d
            join pg_catalog.pg_attrdef as f on f.oid = d.objid and f.adrelid = target and f.adnum = a.attnum
           where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
             and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass))
      left join lateral (
        select o.objid::pg_catalog.regclass as name from pg_catalog.pg_depend as o
          join pg_catalog.pg_class as s on s.oid = o.objid and s.relkind = 'S'
          join pg_catalog.pg_attribute as b on b.attrelid = source.oid and b.attnum = o.refobjsubid and b.attname = a.attname
         where o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.deptype in ('a', 'i')
           and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.refobjid = source.oid
      ) as old on true
     where a.attrelid = target and a.attnum > 0 and not a.attisdropped
     order by a.attnum
  loop
    if part.was is not null then
      execute pg_catalog.format('select pg_catalog.setval(%L, last_value, is_called) from %s', part.name, part.was);
    elsif found_row.names -> '' -> part.attname is not null then
      perform pg_catalog.setval(part.name, (found_row.names -> '' -> part.attname ->> 0)::bigint,
        (found_row.names -> '' -> part.attname ->> 1)::boolean);
    end if;
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
    _PRINTING,
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
  forced text[];
  one text;
begin
  select k.* into key from pg_catalog.pg_constraint as k
   where k.conrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', of_schema, of_name))
     and k.conname = key_name and k.contype = 'f' and not k.convalidated;
  if not found then
    return;
  end if;
  -- The check reads both tables as this role, from which forced policies would hide rows: these would go unchecked.
  select coalesce(pg_catalog.array_agg(c.oid::pg_catalog.regclass::text order by c.oid), '{}') into forced
    from pg_catalog.pg_class as c
   where c.oid in (key.conrelid, key.confrelid) and c.relforcerowsecurity and pg_catalog.row_security_active(c.oid);
  foreach one in array forced loop
    execute pg_catalog.format('alter table %s no force row level security', one);
  end loop;
  begin
    execute pg_catalog.format('alter table %I.%I validate constraint %I', of_schema, of_name, key_name);
    foreach one in array forced loop
      execute pg_catalog.format('alter table %s force row level security', one);
    end loop;
    return;
  exception when foreign_key_violation then
    get stacked diagnostics message = message_text;
  end;
  select pg_catalog.string_agg(pg_catalog.format('c.%I is not null', a.attname), ' and ' order by p.place),
         pg_catalog.string_agg(pg_catalog.format('p.%I = c.%I', b.attname, a.attname), ' and ' order by p.place),
         pg_catalog.string_agg(pg_catalog.format('c.%I', a.attname), ', ' order by p.place)
    into present, equal, shown
    from rows from (pg_catalog.unnest(key.conkey), pg_catalog.unnest(key.confkey)) with ordinality as p (own, other, place)
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
    "let_go": _LET_GO,
    "give_keys": _GIVE_KEYS,
    "check_kept": _CHECK_KEPT,
    "bring_back_name": _BRING_BACK_NAME,
    "bring_back_owned": _BRING_BACK_OWNED,
    "keep_sequence": _KEEP_SEQUENCE,
    "drop_unless_needed": _DROP_UNLESS_NEEDED,
    "drop_or_refuse": _DROP_OR_REFUSE,
    "bring_back": _BRING_BACK,
    "keep_copy": _KEEP_COPY,
    "copy_back": _COPY_BACK,
    "validate_key": _VALIDATE_KEY,
}
"""name → its definition, those that others call first."""

WAYS_BACK: Mapping[str, tuple[str, ...]] = {
    "keep_table": ("bring_back_table", "bring_back_name", "bring_back_owned", "copy_back", "validate_key"),
    "let_go": ("give_keys", "check_kept"),
    "keep_copy": ("copy_back", "validate_key"),
    "keep_sequence": ("bring_back",),
    "drop_unless_needed": ("bring_back",),
}
"""What keeps comes with what brings back, so that a migration which only brings back needs none of them."""
