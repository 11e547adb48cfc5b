create schema private;
create function private.tidy() returns void
  language sql security definer set search_path = ''
  as 'select 1';
