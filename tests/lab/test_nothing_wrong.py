"""Triggers that are right, of shapes with which keys that chance or a sequence made stand where no foreign key says so: none of them is blamed."""

from __future__ import annotations

from pathlib import Path

from reconciler.engine import testing
from reconciler.engine.subject import of_source
from reconciler.engine.testing import Wanted
from reconciler.settings import Database

SCHEMA = """
create role trial_founder nologin;
create function public.org() returns uuid language sql stable as $$ select nullif(current_setting('app.org_id', true), '')::uuid $$;
create table public.orgs (id uuid primary key default gen_random_uuid(), name text not null);
create table public.wallets (org_id uuid primary key references public.orgs (id), cents bigint not null default 0);
create table public.totals (org_id uuid primary key references public.orgs (id), n integer not null default 0);
create table public.orders (id bigint generated always as identity primary key, org_id uuid not null references public.orgs (id), title text);
create table public.outbox (id bigint generated always as identity primary key, org_id uuid not null, body jsonb not null, said text);
create table public.history (org_id uuid not null, order_id bigint not null);
create table public.people (id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs (id), name text);
create table public.handles (org_id uuid not null, handle text not null);
create table public.accounts (org_id uuid not null references public.orgs (id), code text not null check (code ~ '^[0-9]{3,8}$'), primary key (org_id, code));
create table public.cards (org_id uuid not null references public.orgs (id), bank text not null, ends text not null check (ends ~ '^[0-9]{3}$'),
  primary key (org_id, bank, ends));

create function public.found() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.wallets (org_id) values (new.id);
  return null;
end $$;
create trigger found after insert on public.orgs for each row execute function public.found();

create function public.tell() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.outbox (org_id, body, said) values (new.org_id, jsonb_build_object('which', new.id), 'order ' || new.id);
  insert into public.history values (new.org_id, new.id);
  insert into public.totals as t values (new.org_id, 1) on conflict (org_id) do update set n = t.n + 1;
  return null;
end $$;
create trigger tell after insert on public.orders for each row execute function public.tell();

create function public.call() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.handles values (new.org_id, 'u_' || replace(new.id::text, '-', ''));
  insert into public.handles values (new.org_id, 'user_' || substr(new.id::text, 1, 8));
  return null;
end $$;
create trigger call after insert on public.people for each row execute function public.call();

create function public.open_account() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.outbox (org_id, body) values (new.org_id, jsonb_build_object('code', new.code));
  return null;
end $$;
create trigger open_account after insert on public.accounts for each row execute function public.open_account();

create function public.add_card() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.outbox (org_id, body) values (new.org_id, jsonb_build_object('ends', new.ends));
  return null;
end $$;
create trigger add_card after insert on public.cards for each row execute function public.add_card();

do $$
declare t text;
begin
  foreach t in array array['wallets', 'totals', 'orders', 'outbox', 'history', 'people', 'handles', 'accounts', 'cards'] loop
    execute format('alter table public.%I enable row level security', t);
    execute format('create policy own on public.%I to trial_founder using (org_id = public.org())', t);
    execute format('grant select, insert on public.%I to trial_founder', t);
  end loop;
end $$;
alter table public.orgs enable row level security;
create policy own on public.orgs for select to trial_founder using (id = public.org());
create policy founded on public.orgs for insert to trial_founder with check (true);
grant select, insert on public.orgs to trial_founder;
"""


def test_what_is_right_is_not_blamed(tmp_path: Path) -> None:
    """A tenant that is founded has its first rows; a key in a name, a message or a document differs by chance, and in a log by a gap in its sequence;
    numbers in a text go on past those of three digits, but where something else tells the rows apart."""
    file = tmp_path / "schema.sql"
    file.write_text(SCHEMA)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.*.*", levels=("read committed",), bulk=2000)
        cases = testing.tested(subject, Database(name="x"), wanted).cases
        wanted = Wanted("public.orders/two-inserts-of-one-key", levels=("serializable",))
        cases = (*cases, *testing.tested(subject, Database(name="x"), wanted).cases)
    assert [case for case in cases if case.verdict != "passed"] == []
    assert [case.subject.name for case in cases if case.kind == "race"] == ["orders"]
    tried = {(case.subject.part, case.name.split("/", 1)[1]) for case in cases if case.kind == "trial"}
    for trigger in ("tell", "call", "open_account", "add_card"):
        assert (trigger, "insert: 4 rows at once and one by one") in tried
        assert (trigger, "insert: 2,000 rows") in tried
    assert ("found", "insert: normal, read committed") in tried
