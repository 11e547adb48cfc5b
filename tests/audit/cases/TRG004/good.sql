create table public.nodes (id uuid primary key, org_id uuid not null, parent uuid, changed timestamptz);
create function public.touch_parent() returns trigger language plpgsql set search_path = '' as $$
begin
  update public.nodes as n set changed = now() where n.org_id = new.org_id and n.id = new.parent;
  return null;
end $$;
create trigger touch_parent after update on public.nodes for each row when (pg_trigger_depth() = 0)
execute function public.touch_parent();
