-- Trigger function: writes every changed row to trigger_audit_log, in the same transaction as the change.
-- Attached once per event (AFTER, per statement, transition tables new_rows and old_rows), because one statement-level
-- trigger costs a bulk insert less than half of what a row-level one does. Its argument is the column that, together
-- with org_id, identifies a row.
--
-- SECURITY DEFINER, because nobody who calls the API may write the log. It writes to no other table, and each log row
-- carries the org_id of the row it describes, so a change in one organisation is never told to another.
create function private.log_changes() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  v_actor uuid := auth.uid();
  -- current_user is the owner in here; the role that the API switched to is in the setting `role`
  v_role text := coalesce(nullif(current_setting('role'), 'none'), session_user);
begin
  if tg_op = 'INSERT' then
    insert into public.trigger_audit_log (org_id, actor_id, actor_role, table_name, operation, new_values)
    select n.org_id, v_actor, v_role, tg_table_name, tg_op, to_jsonb(n)
    from new_rows as n;
  elsif tg_op = 'DELETE' then
    insert into public.trigger_audit_log (org_id, actor_id, actor_role, table_name, operation, old_values)
    select o.org_id, v_actor, v_role, tg_table_name, tg_op, to_jsonb(o)
    from old_rows as o;
  else
    -- a full join: a row whose key itself was changed is logged as two rows rather than not at all
    insert into public.trigger_audit_log (org_id, actor_id, actor_role, table_name, operation, old_values, new_values)
    select coalesce(n.org_id, o.org_id), v_actor, v_role, tg_table_name, tg_op, to_jsonb(o), to_jsonb(n)
    from old_rows as o
    full join new_rows as n
      on n.org_id = o.org_id and to_jsonb(n) -> tg_argv[0] = to_jsonb(o) -> tg_argv[0];
  end if;
  return null;
end
$$;

revoke all on function private.log_changes() from public, anon, authenticated, service_role;
