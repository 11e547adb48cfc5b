create table public.webhook_secrets (hash bytea primary key, org_id uuid not null);
grant select on public.webhook_secrets to authenticated;
alter table public.webhook_secrets enable row level security;
create policy of_the_organisation on public.webhook_secrets for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
