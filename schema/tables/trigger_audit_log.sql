-- Who changed what, when: written by the log_* triggers (private.log_changes) in the transaction of the change, so it
-- is there exactly when the change is. This table is declared in SQL; the others show the same things in YAML.
--
-- Append-only: no role of the API, not even the service role, may write, change or delete a row.
-- Row-level security is not forced, because the triggers write as the owner of this table: forced, an owner without
-- BYPASSRLS could not log, and every change would fail.
-- No foreign key to organisations: the log outlives what it describes.
create table public.trigger_audit_log (
  org_id uuid not null,
  id bigint generated always as identity,
  logged_at timestamptz not null default now(),
  actor_id uuid,
  actor_role text not null,
  table_name text not null,
  operation text not null,
  old_values jsonb,
  new_values jsonb,
  primary key (org_id, id)
);

alter table public.trigger_audit_log enable row level security;

revoke all on public.trigger_audit_log from public, anon, authenticated, service_role;
revoke all on sequence public.trigger_audit_log_id_seq from public, anon, authenticated, service_role;
grant select on public.trigger_audit_log to authenticated, service_role;

create policy admins_read on public.trigger_audit_log
  for select to authenticated
  using (org_id = (select private.current_admin_org_id()));
