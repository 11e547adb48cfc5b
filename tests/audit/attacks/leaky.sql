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

create policy join_any on members for insert to authenticated with check (user_id = auth.uid());
drop policy own on comments;
create policy own on comments to authenticated using (exists (select from tasks as t where t.id = task_id)) with check (true);
create policy wide on drafts for update to authenticated using (true) with check (user_id = auth.uid());
grant select on readings_old to authenticated;
alter table readings_old disable row level security;
create or replace view titles as select t.tenant_id, t.id, t.title from readable as t;

create or replace view counted as select count(*) as n from readable as t;

grant select on totals to authenticated;
create policy anybody on countries to authenticated using (true);
grant insert, update on countries to authenticated;
