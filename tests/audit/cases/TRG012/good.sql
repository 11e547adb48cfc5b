create table public.orders (id uuid primary key default gen_random_uuid(), org_id uuid not null, total bigint not null default 0, status text);
create function public.stamp() returns trigger language plpgsql set search_path = '' as $$
begin
  new.status := coalesce(new.status, 'open');
  return new;
end $$;
-- reconciler: invariant every order has a status: select id from public.orders where status is null
-- reconciler: on_error raise
-- reconciler: concurrency Changes nothing but its own row.
-- reconciler: tenancy Reads and writes no other row.
create trigger stamp before insert on public.orders for each row execute function public.stamp();
