-- also: GRANT007
create schema work;
grant usage, create on schema work to authenticated;

create schema private;
create function private.tidy() returns void
  language sql security definer set search_path = work, pg_temp
  as 'select 1';
revoke execute on function private.tidy() from public;
