create schema private;
create table private.plans (org_id uuid primary key, plan text not null);
create function private.current_plan(org uuid) returns text
  language sql stable security definer
  as 'select p.plan from private.plans as p where p.org_id = org';
revoke execute on function private.current_plan(uuid) from public;
