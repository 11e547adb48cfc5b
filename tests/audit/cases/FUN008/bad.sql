create schema private;
create function private.count_of(name text) returns bigint
  language plpgsql stable security definer set search_path = ''
  as $$
declare
  found_rows bigint;
begin
  execute 'select count(*) from public.' || name into found_rows;
  return found_rows;
end
$$;
revoke execute on function private.count_of(text) from public;
