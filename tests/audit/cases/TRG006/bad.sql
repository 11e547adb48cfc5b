-- also: TRG012
create table public.orders (id uuid primary key default gen_random_uuid(), org_id uuid not null, total bigint not null default 0, status text);
create function public.check_it() returns trigger language plpgsql set search_path = '' as $$
begin
  if new.total < 0 then
    raise exception 'invalid value';
  end if;
  return new;
end $$;
create trigger check_it before insert or update on public.orders for each row execute function public.check_it();
