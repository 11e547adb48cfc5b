create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.messages (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  payload jsonb not null default '{}'
);
create table public.inbox (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  body text not null
);
create function public.deliver() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.inbox (org_id, body) values (coalesce((new.payload ->> 'to_org')::uuid, new.org_id), new.payload::text);
  return null;
end $$;
revoke all on function public.deliver() from public, anon, authenticated;
create trigger deliver after insert on public.messages for each row execute function public.deliver();
alter table public.messages enable row level security;
create policy own on public.messages to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.messages to authenticated;
alter table public.inbox enable row level security;
create policy select_own on public.inbox for select to authenticated using (org_id = (select public.org()));
grant select on public.inbox to authenticated;
