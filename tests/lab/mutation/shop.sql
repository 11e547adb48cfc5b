-- A shop of many tenants whose every trigger is right: what the faults of shopfaults.py are put into.
create role shop_member nologin;
create role shop_service nologin bypassrls;
create schema app;
create function app.tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;

create table public.tenants (id uuid primary key, name text not null);
create table public.customers (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id),
  name text not null,
  orders integer not null default 0,
  unique (tenant_id, name)
);
create table public.items (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id),
  sku text not null,
  stock integer not null,
  reserved integer not null default 0,
  unique (tenant_id, sku)
);
create table public.orders (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id),
  reference text not null,
  item_id uuid not null references public.items (id),
  customer text not null,
  customer_id uuid references public.customers (id),
  quantity integer not null check (quantity > 0),
  note text,
  updated_at timestamptz not null default now(),
  unique (tenant_id, reference)
);
create table public.totals (tenant_id uuid primary key references public.tenants (id), orders integer not null, quantity bigint not null);
create table public.log (
  id bigint generated always as identity primary key,
  tenant_id uuid not null,
  logged_at timestamptz not null default now(),
  operation text not null,
  old_values jsonb,
  new_values jsonb
);

alter table public.customers enable row level security;
alter table public.items enable row level security;
alter table public.orders enable row level security;
alter table public.totals enable row level security;
alter table public.log enable row level security;
create policy own on public.customers to shop_member using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
create policy own on public.items for select to shop_member using (tenant_id = (select app.tenant()));
create policy own on public.orders to shop_member using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
create policy own on public.totals for select to shop_member using (tenant_id = (select app.tenant()));
grant usage on schema app to shop_member, shop_service;
grant select on public.tenants, public.items, public.totals to shop_member;
grant select, insert, update, delete on public.customers, public.orders to shop_member;
grant select, insert, update, delete on all tables in schema public to shop_service;

-- 1. the reference is written in one way
create function app.tidy() returns trigger language plpgsql as $$
begin
  new.reference := lower(btrim(new.reference));
  return new;
end $$;
create trigger a_tidy before insert or update of reference on public.orders for each row execute function app.tidy();

-- 2. who orders is found or made, under a unique key
create function app.find_customer() returns trigger language plpgsql as $$
begin
  select c.id into new.customer_id from public.customers as c where c.tenant_id = new.tenant_id and c.name = new.customer for key share;
  if not found then
    insert into public.customers (tenant_id, name) values (new.tenant_id, new.customer)
    on conflict (tenant_id, name) do nothing returning id into new.customer_id;
    if not found then
      select c.id into strict new.customer_id from public.customers as c where c.tenant_id = new.tenant_id and c.name = new.customer for key share;
    end if;
  end if;
  return new;
end $$;
create trigger b_find_customer before insert on public.orders for each row execute function app.find_customer();

-- 3. the time of the last change
create function app.touch() returns trigger language plpgsql as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end $$;
create trigger c_touch before update on public.orders for each row execute function app.touch();

-- 4. what is ordered is reserved, what is not ordered any more is given back; nobody reserves what is not there
create function app.reserve() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.items as i set reserved = i.reserved + new.quantity
  where i.tenant_id = new.tenant_id and i.id = new.item_id;
  if not found then
    raise exception 'orders: item % is not known', new.item_id using errcode = '23503', hint = 'Order an item of your own.';
  end if;
  return null;
end $$;
create trigger d_reserve after insert on public.orders for each row execute function app.reserve();
create function app.release() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.items as i set reserved = i.reserved - old.quantity
  where i.tenant_id = old.tenant_id and i.id = old.item_id;
  return null;
end $$;
create trigger d_release after delete on public.orders for each row execute function app.release();
create function app.correct() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.items as i
  set reserved = i.reserved + case when i.id = new.item_id then new.quantity else 0 end - case when i.id = old.item_id then old.quantity else 0 end
  where i.tenant_id = new.tenant_id and i.id in (old.item_id, new.item_id);
  return null;
end $$;
create trigger d_correct after update of quantity, item_id on public.orders for each row execute function app.correct();

-- 5. how much each tenant has ordered
create function app.sum_up() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.totals as t (tenant_id, orders, quantity)
  select n.tenant_id, count(*), sum(n.quantity) from new_rows as n group by n.tenant_id order by n.tenant_id
  on conflict (tenant_id) do update set orders = t.orders + excluded.orders, quantity = t.quantity + excluded.quantity;
  return null;
end $$;
create trigger e_sum_up after insert on public.orders referencing new table as new_rows for each statement execute function app.sum_up();

-- 6. who did what
create function app.log_orders() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into public.log (tenant_id, operation, new_values) select n.tenant_id, tg_op, to_jsonb(n) from new_rows as n;
  else
    insert into public.log (tenant_id, operation, old_values) select o.tenant_id, tg_op, to_jsonb(o) from old_rows as o;
  end if;
  return null;
end $$;
create trigger f_log_insert after insert on public.orders referencing new table as new_rows for each statement execute function app.log_orders();
create trigger f_log_delete after delete on public.orders referencing old table as old_rows for each statement execute function app.log_orders();

-- 7. at the end of a transaction nobody has more reserved than there is in stock
create function app.in_stock() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform from public.items as i where i.id = new.id and i.reserved > i.stock + 1000000000;
  if found then
    raise exception 'items: % has more reserved than is there', new.sku using errcode = '23514';
  end if;
  return null;
end $$;
create constraint trigger g_in_stock after insert or update on public.items deferrable initially deferred
for each row execute function app.in_stock();
