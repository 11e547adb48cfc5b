-- also: RLS001
create table public.accounts (id uuid primary key, org_id uuid not null, api_key text not null);
grant select on public.accounts to anon;
