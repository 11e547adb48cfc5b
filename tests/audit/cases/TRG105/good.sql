create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.labels (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  name text not null
);
create table public.label_uses (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  name text not null
);
create function public.rename_label() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.label_uses as u set name = new.name where u.org_id = new.org_id;
  return null;
end $$;
revoke all on function public.rename_label() from public, anon, authenticated;
create trigger rename_label after update on public.labels for each row execute function public.rename_label();
alter table public.labels enable row level security;
create policy own on public.labels to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.labels to authenticated;
alter table public.label_uses enable row level security;
create policy select_own on public.label_uses for select to authenticated using (org_id = (select public.org()));
grant select on public.label_uses to authenticated;
