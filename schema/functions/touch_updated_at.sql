-- Trigger function: a row that is updated says when. Repeating it changes nothing else.
-- clock_timestamp(), not now(): now() is when the transaction began, which may be before another transaction created
-- the row that this one updates.
create function private.touch_updated_at() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end
$$;

revoke all on function private.touch_updated_at() from public, anon, authenticated, service_role;
