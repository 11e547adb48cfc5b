"""The SQL routines around values that are copied out of a table and back into it.

They stand in the migrations that call them. None of them reads or writes a row of a user's table: the statements that do are
written out in the migration, where a person can read them.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.pg import dollar


def _routine(head: str, body: str) -> str:
    return f"create or replace function reconciler_quarantine.{head}\nlanguage plpgsql set search_path = '' as {dollar(body)}"


_PREPARED = _routine(
    "prepared(of text, silent boolean) returns jsonb",
    """
declare
  live pg_catalog.oid := pg_catalog.to_regclass(of);
  state jsonb;
  one record;
  silenced jsonb := '[]';
begin
  -- What the text of a value depends on; and an error instead of fewer rows where a policy hides some.
  select pg_catalog.jsonb_object_agg(s.name, pg_catalog.current_setting(s.name)) into state
    from pg_catalog.unnest(array['datestyle', 'intervalstyle', 'timezone', 'extra_float_digits', 'bytea_output', 'xmloption',
      'lc_monetary', 'row_security']) as s (name);
  perform pg_catalog.set_config(s.name, s.value, true)
    from (values ('datestyle', 'ISO, YMD'), ('intervalstyle', 'iso_8601'), ('timezone', 'UTC'), ('extra_float_digits', '3'),
      ('bytea_output', 'hex'), ('xmloption', 'content'), ('lc_monetary', 'C'), ('row_security', 'off')) as s (name, value);
  state := pg_catalog.jsonb_build_object('settings', state);
  -- FORCE hides rows from their owner too. It is put back before anybody else can look: the lock is ours until then.
  if pg_catalog.row_security_active(live) and exists (
    select from pg_catalog.pg_class as c where c.oid = live and c.relforcerowsecurity
  ) then
    execute pg_catalog.format('alter table only %s no force row level security', of);
    state := state || '{"forced": true}';
  end if;
  if silent then
    for one in
      select t.tgrelid as home, t.tgname::text as name, t.tgenabled::text as state, 'trigger' as what
        from pg_catalog.pg_trigger as t
       where (t.tgrelid = live or t.tgrelid in (select p.relid from pg_catalog.pg_partition_tree(live) as p))
         and (not t.tgisinternal or t.tgparentid <> 0 and t.tgconstraint = 0)
         and t.tgenabled <> 'D' and t.tgtype & 16 <> 0 and t.tgname !~ '^~?reconciler_'
      union all
      select w.ev_class, w.rulename::text, w.ev_enabled::text, 'rule'
        from pg_catalog.pg_rewrite as w
       where (w.ev_class = live or w.ev_class in (select p.relid from pg_catalog.pg_partition_tree(live) as p))
         and w.ev_type = '2' and w.ev_enabled <> 'D'
       order by 4, 1, 2
    loop
      execute pg_catalog.format('alter table only %s disable %s %I', one.home::pg_catalog.regclass, one.what, one.name);
      silenced := silenced || pg_catalog.jsonb_build_array(pg_catalog.to_jsonb(one));
    end loop;
  end if;
  return state || pg_catalog.jsonb_build_object('silenced', silenced);
end
""",
)

_FINISHED = _routine(
    "finished(of text, was jsonb) returns void",
    """
declare
  one record;
begin
  for one in
    select (s.value ->> 'home')::pg_catalog.oid::pg_catalog.regclass as home, s.value ->> 'name' as name,
           s.value ->> 'what' as what,
           case s.value ->> 'state' when 'A' then 'always ' when 'R' then 'replica ' else '' end as state
      from pg_catalog.jsonb_array_elements(was -> 'silenced') as s
  loop
    execute pg_catalog.format('alter table only %s enable %s%s %I', one.home, one.state, one.what, one.name);
  end loop;
  if was ? 'forced' then
    execute pg_catalog.format('alter table only %s force row level security', of);
  end if;
  perform pg_catalog.set_config(s.key, s.value, true) from pg_catalog.jsonb_each_text(was -> 'settings') as s;
end
""",
)

_MAKE_ROOM = _routine(
    "make_room(wanted text) returns void",
    """
declare
  older text;
  number integer := 1;
begin
  -- The newest copy has the name; the ones before it are numbered.
  if pg_catalog.to_regclass(pg_catalog.format('reconciler_quarantine.%I', wanted)) is null then
    return;
  end if;
  loop
    number := number + 1;
    older := wanted || '_' || number;
    exit when pg_catalog.to_regclass(pg_catalog.format('reconciler_quarantine.%I', older)) is null;
  end loop;
  execute pg_catalog.format('alter table reconciler_quarantine.%I rename to %I', wanted, older);
  update reconciler_quarantine.kept as k set kept_as = older where k.kept_as = wanted;
end
""",
)

_ENTERED = _routine(
    "entered(of text, of_tag text, of_kind text, of_schema text, of_name text, parts text[], copy text, count bigint)"
    " returns void",
    """
declare
  part text;
  counter text;
  last text;
begin
  if count = 0 then
    execute pg_catalog.format('drop table reconciler_quarantine.%I', copy);
    return;
  end if;
  foreach part in array parts loop
    -- How far its sequence has numbered: further than the rows tell, when the last ones were deleted.
    last := null;
    counter := null;
    select pg_catalog.pg_get_serial_sequence(of, part) into counter
      from pg_catalog.pg_attribute as a
     where a.attrelid = pg_catalog.to_regclass(of) and a.attname = part;
    if counter is not null then
      execute pg_catalog.format('select case when is_called then last_value end from %s', counter) into last;
    end if;
    insert into reconciler_quarantine.kept (tag, kind, schema, name, part, kept_as, names, rows)
    values (of_tag, of_kind, of_schema, of_name, part, copy,
      pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('last_value', last)), count);
  end loop;
end
""",
)

_IS_OF_TYPE = _routine(
    "is_of_type(of text, part text, wanted text) returns boolean",
    """
begin
  -- Here, where the search_path is empty, every name is printed in full.
  return exists (
    select from pg_catalog.pg_attribute as a
     where a.attrelid = pg_catalog.to_regclass(of) and a.attname = part
       and pg_catalog.format_type(a.atttypid, a.atttypmod) = wanted
  );
end
""",
)

_MATCHED = _routine(
    "matched(of_tag text, copy text, count bigint) returns void",
    """
declare
  whole bigint;
begin
  execute pg_catalog.format('select pg_catalog.count(*) from reconciler_quarantine.%I', copy) into whole;
  update reconciler_quarantine.kept as k set names = k.names || pg_catalog.jsonb_build_object('lost', whole - count)
   where k.tag = of_tag and k.kept_as = copy;
end
""",
)

_GIVEN_BACK = _routine(
    "given_back(of_tag text, copy text) returns void",
    """
declare
  lost bigint;
begin
  select max((k.names ->> 'lost')::bigint) into lost from reconciler_quarantine.kept as k
   where k.tag = of_tag and k.kept_as = copy;
  if lost <= 0 then
    execute pg_catalog.format('drop table reconciler_quarantine.%I', copy);
    delete from reconciler_quarantine.kept as k where k.tag = of_tag and k.kept_as = copy;
    return;
  end if;
  -- Values of rows that are not there any more, or not to be recognised, stay until they are purged; nothing gives them back again.
  raise notice '% kept rows found no row: their values stay in reconciler_quarantine.%', lost, pg_catalog.quote_ident(copy);
  update reconciler_quarantine.kept as k set tag = 'given back ' || of_tag where k.tag = of_tag and k.kept_as = copy;
end
""",
)

ROW_ROUTINES: Mapping[str, str] = {
    "prepared": _PREPARED,
    "finished": _FINISHED,
    "make_room": _MAKE_ROOM,
    "entered": _ENTERED,
    "is_of_type": _IS_OF_TYPE,
    "matched": _MATCHED,
    "given_back": _GIVEN_BACK,
}
"""name → its definition."""
