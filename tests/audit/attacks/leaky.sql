-- After closed.sql: one hole for each object.
create policy wide on readable for select to authenticated using (true);
create policy wide on insertable for insert to authenticated with check (true);
create policy wide on updatable for update to authenticated using (true) with check (true);
create policy wide on deletable for delete to authenticated using (true);
grant truncate on emptied to authenticated;
alter policy own on moved with check (true);
drop policy own on stolen;
create policy own on stolen for select to authenticated using (tenant_id in (select private.tenants_of_user()));
create policy wide on stolen for update to authenticated using (true) with check (tenant_id in (select private.tenants_of_user()));
create policy wide on upserted for update to authenticated using (true) with check (true);
revoke update on upserted from authenticated;
grant update (title) on upserted to authenticated;
alter table unprotected disable row level security;
grant select (done) on partly to anon;
create policy wide on partly for select to anon using (true);
create policy wide on admins for select to authenticated using (exists (select from private.administered()));

grant update (tenant_id) on members to authenticated;
create policy move_self on members for update to authenticated using (user_id = auth.uid());
create policy join_any on members for insert to authenticated with check (user_id = auth.uid());
drop policy own on comments;
create policy own on comments to authenticated using (exists (select from tasks as t where t.id = task_id)) with check (true);
create policy wide on drafts for update to authenticated using (true) with check (user_id = auth.uid());
grant select on readings_old to authenticated;
alter table readings_old disable row level security;
create or replace view titles as select t.tenant_id, t.id, t.title from readable as t;

create or replace view renamed as select t.title as b, t.id as i, t.tenant_id as t, upper(t.title) as title from readable as t;
create policy wide on numbered to authenticated using (true);

create or replace view counted as select count(*) as n from readable as t;

grant select on totals to authenticated;
create policy anybody on countries to authenticated using (true);
grant insert, update on countries to authenticated;

create or replace function title_of(p_id bigint) returns text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r where r.id = p_id $$;
create or replace function length_of(p_id bigint) returns integer language sql stable security definer set search_path = ''
  as $$ select length(r.title) from public.readable as r where r.id = p_id $$;
create or replace function rename(p_id bigint, p_title text) returns void language sql security definer set search_path = ''
  as $$ update public.updatable as u set title = p_title where u.id = p_id $$;
create or replace function settle(x bigint) returns integer language plpgsql security definer set search_path = '' as $$
declare n integer;
begin
  update public.updatable as u set done = true where u.id = x;
  get diagnostics n = row_count;
  return n;
end
$$;
create or replace function described(j json) returns json language plpgsql stable security definer set search_path = '' as $$
begin
  return (select json_build_object('t', r.title) from public.readable as r where r.id = (j ->> 'row')::bigint);
end
$$;
create or replace function shouted(r readable) returns text language sql stable security definer set search_path = ''
  as $$ select upper(x.title) from public.readable as x where x.id = r.id $$;
create or replace function titles_of(variadic p_ids bigint[]) returns setof text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r where r.id = any (p_ids) order by 1 $$;
create or replace function opened(p_id bigint, p_tenant uuid default null) returns text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r
         where r.id = p_id and (p_tenant is null or r.tenant_id = p_tenant and r.tenant_id in (select private.tenants_of_user())) $$;
create or replace function pointed(x uuid) returns refcursor language plpgsql security definer set search_path = '' as $$
declare c refcursor;
begin
  open c for select r.title from public.readable as r where r.tenant_id = x order by 1;
  return c;
end
$$;
create or replace function title_by(p text) returns text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r where r.id = p::bigint $$;
create or replace function name_by(mail text) returns text language sql stable security definer set search_path = ''
  as $$ select p.full_name from public.patients as p where p.email = mail $$;
create or replace function balance_of(account text, of_tenant uuid) returns amount language sql stable security definer set search_path = ''
  as $$ select b.balance from public.balances as b where b.code = account and b.tenant_id = of_tenant $$;
create or replace function title_at(p task_key) returns text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r where r.id = p $$;
create or replace function title_for(p anyelement) returns text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r where r.id::text = p::text $$;
create or replace procedure fetched(x bigint, out y text, out z text) language plpgsql security definer set search_path = '' as $$
begin
  select r.title into y from public.readable as r where r.id = x;
end
$$;
create or replace function filtered(p jsonb) returns text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r where r.id = (p -> 'filter' ->> 'row')::bigint $$;
create or replace function listed(p jsonb) returns setof text language sql stable security definer set search_path = '' as $$
  select r.title from public.readable as r join jsonb_to_recordset(p) as w (which bigint) on r.id = w.which order by 1 $$;
create or replace function searched(q text) returns setof text language sql stable security definer set search_path = ''
  as $$ select r.title from public.readable as r where r.title like q || '%' order by 1 $$;
create or replace function summed(x uuid) returns jsonb language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('ok', true, 'many', count(*)) from public.readable as r where r.tenant_id = x $$;
alter function anywhere(text, text) security definer;
create or replace procedure finish(p_id bigint) language sql security definer set search_path = ''
  as $$ update public.updatable as u set done = true where u.id = p_id $$;
create or replace function taken(p_title text) returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select from public.readable as r where r.title = p_title) $$;

grant update (everywhere) on profiles to authenticated;
alter policy follow on followers with check (reader_id = auth.uid());
create or replace function accept(p_id uuid) returns uuid language plpgsql security definer set search_path = '' as $$
declare t uuid;
begin
  select i.tenant_id into t from public.invited as i where i.id = p_id and i.accepted_at is null;
  if t is null then
    raise exception 'no such invitation';
  end if;
  update public.invited as i set accepted_at = now() where i.id = p_id;
  return t;
end
$$;

alter table files drop constraint in_folder;
alter table files add constraint in_folder foreign key (folder_id) references folders (id) on delete cascade on update cascade;
alter table files drop constraint one_email;
alter table files add constraint one_email unique (email);

create function private.constant_claim() returns uuid language sql immutable set search_path = ''
  as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'tenant_id')::uuid $$;
alter policy own on planned using (tenant_id = private.constant_claim());
create policy boast on boasted for select to authenticated
  using (tenant_id::text = nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'user_metadata' ->> 'tenant_id');
create policy unmarked on unclaimed for select to authenticated using (coalesce(current_setting('request.jwt.claims', true), '') = '');
grant update on sequence tickets, tasks_id_seq to authenticated;

create policy "wide's" on "Odd Names" to authenticated using (true) with check (true);

create foreign data wrapper nowhere;
create server away foreign data wrapper nowhere;
create foreign table remote (tenant_id uuid, body text) server away;
revoke all on remote from anon, authenticated;
grant select on remote to authenticated;

-- It asks whether there is a membership, and not whether it counts.
create function private.ever_of_user() returns setof uuid language sql stable security definer set search_path = ''
  as $$ select m.tenant_id from public.members as m where m.user_id = auth.uid() $$;
alter policy own on rota using (tenant_id in (select private.ever_of_user()));

-- Whoever writes the address down that a patient has elsewhere is shown the patient.
create policy known on patients for select to authenticated using (email in (select a.email from addresses as a));
