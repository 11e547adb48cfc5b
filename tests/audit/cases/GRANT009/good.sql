create schema private;
create table private.api_keys (account_id uuid primary key, api_key text not null);
create table public.accounts (id uuid primary key, org_id uuid not null);
grant select on public.accounts to authenticated;
