-- also: TRG011, TRG012
create table public.accounts (id uuid primary key, org_id uuid not null, balance bigint not null default 0);
create table public.payments (id uuid primary key, org_id uuid not null, account_id uuid not null, cents bigint not null);
create function public.pay() returns trigger language plpgsql set search_path = '' as $$
begin
  update public.accounts as a set balance = a.balance + new.cents where a.id = new.account_id;
  return null;
end $$;
create trigger pay after insert on public.payments for each row execute function public.pay();
