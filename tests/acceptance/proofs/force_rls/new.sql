create table notes (id bigint primary key, org_id uuid not null, body text);
alter table notes enable row level security;
alter table notes force row level security;
create policy own on notes
  using (org_id::text = current_setting('app.org', true))
  with check (org_id::text = current_setting('app.org', true));
create table drafts (id bigint primary key, org_id uuid not null);
alter table drafts enable row level security;
alter table drafts force row level security;
create policy own on drafts as restrictive for select using (org_id::text = current_setting('app.org', true));
