-- No table of tenants and none of users: a text and a number in settings, nothing points anywhere.
create table notes (id bigint primary key generated always as identity, tenant text not null, author_id bigint not null, body text);
create table note_links (a bigint not null references notes (id), b bigint not null references notes (id), primary key (a, b));
create table drafts (id bigint primary key generated always as identity, author_id bigint not null, body text not null);
create table feature_flags (name text primary key, enabled boolean not null);
alter table notes enable row level security;
alter table note_links enable row level security;
alter table drafts enable row level security;
create policy tenant on notes using (tenant = current_setting('my.tenant', true)) with check (tenant = current_setting('my.tenant', true));
create policy tenant on note_links using (exists (select 1 from notes n where n.id = a and n.tenant = current_setting('my.tenant', true)));
create policy own on drafts using (author_id = nullif(current_setting('my.user_id', true), '')::bigint);
grant select, insert, update, delete on notes, note_links, drafts to worlds_app;
grant select on feature_flags to worlds_app;
