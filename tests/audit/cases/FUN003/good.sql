create schema private;
create function private.tidy() returns void
  language sql security definer set search_path = ''
  as 'select 1';
revoke execute on function private.tidy() from public;
