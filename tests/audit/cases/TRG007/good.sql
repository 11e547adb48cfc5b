create table public.customers (id uuid primary key, org_id uuid not null, name text not null);
create table public.visits (org_id uuid not null, customer_id uuid not null, at timestamptz not null default now());
create function public.customer_exists() returns trigger language plpgsql set search_path = '' as $$
begin
  if not exists (select from public.customers as c where c.org_id = new.org_id and c.id = new.customer_id) then
    raise exception using message = 'visits: no such customer', detail = format('visits.customer_id = %s', new.customer_id),
      hint = 'Create the customer first.', table = 'visits', column = 'customer_id';
  end if;
  return new;
end $$;
create trigger customer_exists before insert on public.visits for each row execute function public.customer_exists();
-- a word that a function is given is not written
create table public.nicknames (customer_id uuid not null, org_id uuid not null, nickname text not null);
create function public.nicknamed() returns trigger language plpgsql set search_path = '' as $$
begin
  insert into public.nicknames (customer_id, org_id, nickname)
    values (new.id, new.org_id, coalesce(nullif(new.name, ''), 'c_' || replace(new.id::text, '-', '')));
  return null;
end $$;
create trigger nicknamed after insert on public.customers for each row execute function public.nicknamed();
