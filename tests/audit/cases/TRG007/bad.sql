-- also: TRG001, TRG011, TRG012
create table public.customers (id uuid primary key, org_id uuid not null, name text not null);
create table public.visits (org_id uuid not null, customer_id uuid not null, at timestamptz not null default now());
create function public.customer_exists() returns trigger language plpgsql set search_path = '' as $$
begin
  insert into public.customers (id, org_id, name) values (new.customer_id, new.org_id, 'Unknown') on conflict do nothing;
  return new;
end $$;
create trigger customer_exists before insert on public.visits for each row execute function public.customer_exists();
