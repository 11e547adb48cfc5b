create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.nodes (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  visits bigint not null default 0
);
create function public.visit() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.nodes as n set visits = n.visits + 1 where n.org_id = new.org_id and n.id = new.id;
  return null;
end $$;
revoke all on function public.visit() from public, anon, authenticated;
create trigger visit after update on public.nodes for each row execute function public.visit();
alter table public.nodes enable row level security;
create policy own on public.nodes to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.nodes to authenticated;
