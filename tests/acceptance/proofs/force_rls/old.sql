create table notes (id bigint primary key, org_id uuid not null, body text);
alter table notes enable row level security;
create policy own on notes using (org_id::text = current_setting('app.org', true));
insert into notes values (1, '00000000-0000-0000-0000-000000000001', 'first');
