create table public.webhook_secrets (hash bytea primary key, org_id uuid not null);
alter table public.webhook_secrets enable row level security;
