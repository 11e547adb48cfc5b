-- The tenant stands in a setting of the transaction; integers as keys, partitions, one role for the application.
create schema app;
create table app.tenants (id serial primary key, name text not null unique, kind text not null default 'trial' check (kind in ('trial', 'paid')));
create table app.users (
  id serial primary key,
  tenant_id int not null references app.tenants (id),
  email text not null check (email ~ '^[^@]+@[^@]+$'),
  unique (tenant_id, email)
);
create table app.currencies (code text primary key check (code ~ '^[A-Z]{3}$'));
create table app.customers (
  id bigserial primary key,
  tenant_id int not null references app.tenants (id),
  name text not null,
  currency text not null references app.currencies (code)
);
create table app.orders (
  tenant_id int not null,
  id bigint generated always as identity,
  customer_id bigint not null references app.customers (id),
  placed_by int references app.users (id),
  total numeric(10, 2) not null default 0 check (total >= 0),
  gross numeric(12, 2) generated always as (total * 1.19) stored,
  primary key (tenant_id, id)
);
create table app.order_lines (
  tenant_id int not null,
  order_id bigint not null,
  line int not null check (line > 0),
  sku text not null,
  primary key (tenant_id, order_id, line),
  foreign key (tenant_id, order_id) references app.orders (tenant_id, id) on delete cascade deferrable initially deferred
);
create table app.events (
  tenant_id int not null,
  at timestamptz not null,
  what text not null,
  primary key (tenant_id, at)
) partition by range (at);
create table app.events_2024 partition of app.events for values from ('2024-01-01') to ('2025-01-01');
create table app.events_2025 partition of app.events for values from ('2025-01-01') to ('2026-01-01');
create table app.readings (tenant_id int not null, id bigint generated always as identity, value float8 not null) partition by hash (tenant_id);
create table app.readings_0 partition of app.readings for values with (modulus 2, remainder 0);
create table app.readings_1 partition of app.readings for values with (modulus 2, remainder 1);
create table app.bookings (
  tenant_id int not null references app.tenants (id),
  room int not null,
  during tsrange not null,
  exclude using gist (during with &&)
);
create table app.documents (id uuid primary key default gen_random_uuid(), tenant_id int not null, body text not null);
create table app.document_versions (document_id uuid not null references app.documents (id), version int not null, body text not null, primary key (document_id, version));
create table app.contracts (signed date not null) inherits (app.documents);
-- a key of few values, part of a wider key that NULL opens
create table app.branches (branch smallint primary key check (branch between 1 and 9), tenant_id int not null, head int);
create table app.branch_staff (branch smallint not null references app.branches, id int not null, primary key (branch, id));
alter table app.branches add foreign key (branch, head) references app.branch_staff (branch, id);

create function app.tenant() returns int language sql stable as $$ select nullif(current_setting('app.tenant_id', true), '')::int $$;
do $$
declare t text;
begin
  foreach t in array array['tenants', 'users', 'customers', 'orders', 'order_lines', 'events', 'events_2024', 'events_2025', 'readings', 'readings_0',
                           'readings_1', 'bookings', 'documents', 'document_versions', 'contracts',
                           'branches', 'branch_staff'] loop
    execute format('alter table app.%I enable row level security, force row level security', t);
    if t = 'tenants' then
      execute format('create policy tenant on app.%I using (id = app.tenant())', t);
    elsif t = 'document_versions' then
      execute format('create policy tenant on app.%I using (exists (select from app.documents d where d.id = document_id and d.tenant_id = app.tenant()))', t);
    elsif t = 'branch_staff' then
      execute format('create policy tenant on app.%I using (branch in (select b.branch from app.branches b where b.tenant_id = app.tenant()))', t);
    else
      execute format('create policy tenant on app.%I using (tenant_id = app.tenant()) with check (tenant_id = app.tenant())', t);
    end if;
  end loop;
end
$$;
grant usage on schema app to worlds_app;
grant select, insert, update, delete on all tables in schema app to worlds_app;
revoke insert, update, delete on app.currencies from worlds_app;
grant usage on all sequences in schema app to worlds_app;
