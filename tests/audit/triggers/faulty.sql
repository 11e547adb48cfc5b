-- Triggers that are wrong in one way each, between tenants of a Supabase project; and one, on public.books, that is right.
create schema private;
grant usage on schema private to authenticated;

create function private.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.orgs (org_id uuid primary key, name text not null);
create table public.accounts (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, balance bigint not null default 0
);
create table public.payments (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  account_id uuid not null references public.accounts, cents bigint not null, state text not null default 'open'
);
create table public.messages (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, payload jsonb not null default '{}'
);
create table public.inbox (
  id bigint generated always as identity primary key, org_id uuid not null references public.orgs, body text not null
);
create table public.orders (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, cents bigint not null
);
create table public.books (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, title text not null
);
create table public.book_copies (
  id bigint generated always as identity primary key, org_id uuid not null references public.orgs, title text not null
);
create table public.sums (org_id uuid primary key references public.orgs, orders bigint not null default 0);
create table public.notes (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, body text not null
);
create table public.note_counts (org_id uuid primary key references public.orgs, notes bigint not null default 0);
create table public.labels (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, name text not null
);
create table public.label_uses (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, name text not null
);
create table public.audit_log (
  id bigint generated always as identity primary key, org_id uuid not null, what text not null
);
create table public.nodes (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, visits bigint not null default 0
);

-- TRG101: the account is found by its key alone; only a payment that is paid books anything
create function private.book() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  if new.state = 'paid' then
    update public.accounts as a set balance = a.balance + new.cents where a.id = new.account_id;
  end if;
  return null;
end
$$;
create trigger book after insert or update on public.payments for each row execute function private.book();

-- TRG103: whoever the payload names gets the message
create function private.deliver() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.inbox (org_id, body) values (coalesce((new.payload ->> 'to_org')::uuid, new.org_id), new.payload::text);
  return null;
end
$$;
create trigger deliver after insert on public.messages for each row execute function private.deliver();

-- Right in itself, with the tenant of the row; but its log can be tidied up (TRG104, at the end)
create function private.sum_up() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  update public.sums as s set orders = s.orders + 1 where s.org_id = new.org_id;
  insert into public.audit_log (org_id, what) values (new.org_id, tg_op);
  return null;
end
$$;
create trigger sum_up after insert on public.orders for each row execute function private.sum_up();

-- Right
create function private.copy_book() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.book_copies (org_id, title) values (new.org_id, new.title);
  return null;
end
$$;
create trigger copy_book after insert or update on public.books for each row execute function private.copy_book();

-- TRG102: members may read the counts and not change them, and the trigger runs as the member
create function private.count_note() returns trigger language plpgsql set search_path = ''
as $$
begin
  update public.note_counts as c set notes = c.notes + 1 where c.org_id = new.org_id;
  return null;
end
$$;
create trigger count_note after insert on public.notes for each row execute function private.count_note();

-- TRG101 upon delete: the name of a label is no key; TRG105: and nobody hears when it fails
create function private.forget_label() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.label_uses as u where u.name = old.name;
  return null;
exception when others then
  return null;
end
$$;
create trigger forget_label after delete on public.labels for each row execute function private.forget_label();

-- TRG106: no end
create function private.visit() returns trigger language plpgsql set search_path = ''
as $$
begin
  update public.nodes as n set visits = n.visits + 1 where n.org_id = new.org_id and n.id = new.id;
  return null;
end
$$;
create trigger visit after update on public.nodes for each row execute function private.visit();

-- TRG107: runs as the member, who may not write the log
create function private.note_book() returns trigger language plpgsql set search_path = ''
as $$
begin
  insert into public.audit_log (org_id, what) values (old.org_id, tg_op);
  return null;
end
$$;
create trigger note_book after delete on public.books for each row execute function private.note_book();

-- TRG108: the name of the account is looked up by its key alone, and stands in the bill or in the error
create table public.bills (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, label_id uuid not null, label text,
  urgent boolean not null default false
);
create function private.fill_bill() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  select l.name into new.label from public.labels as l where l.id = new.label_id;
  return new;
end
$$;
create trigger fill_bill before insert on public.bills for each row execute function private.fill_bill();
create function private.check_bill() returns trigger language plpgsql security definer set search_path = ''
as $$
declare
  v_name text;
begin
  select l.name into v_name from public.labels as l where l.id = new.label_id and l.org_id <> new.org_id;
  if found then
    raise exception using message = format('bills: the label %s is not yours', v_name), table = 'bills';
  end if;
  return new;
end
$$;
create trigger check_bill before update on public.bills for each row execute function private.check_bill();

-- TRG108: who gives a patient's address is told the name that belongs to it, filled in where he left it empty, or in the error
create table public.patients (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, email text, phone text, full_name text
);
create function private.fill_patient() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  if new.full_name is null then
    select p.full_name into new.full_name from public.patients as p where lower(p.email) = lower(new.email) limit 1;
  end if;
  return new;
end
$$;
create trigger fill_patient before insert on public.patients for each row execute function private.fill_patient();
create function private.check_patient() returns trigger language plpgsql security definer set search_path = ''
as $$
declare
  v_name text;
begin
  select p.full_name into v_name from public.patients as p where p.phone = new.phone and p.id <> new.id limit 1;
  if found then
    raise exception using message = format('patients: that is the number of %s', v_name), table = 'patients';
  end if;
  return new;
end
$$;
create trigger check_patient before update on public.patients for each row execute function private.check_patient();

-- TRG101: a transfer to another organisation, which needs its account's code as well as its key
create table public.ledgers (org_id uuid not null references public.orgs, code text not null, cents bigint not null default 0, primary key (org_id, code));
create table public.transfers (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, to_org uuid not null references public.orgs, code text not null,
  cents bigint not null
);
create function private.transfer() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  update public.ledgers as l set cents = l.cents + new.cents where l.org_id = new.to_org and l.code = new.code;
  return null;
end
$$;
create trigger transfer after insert on public.transfers for each row execute function private.transfer();

-- right: it refuses on purpose, with the SQLSTATE of a privilege that is not there
create table public.seals (id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, what text);
create function private.sealed() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  raise exception using message = 'seals: only the notary may', errcode = 'insufficient_privilege', table = 'seals';
end
$$;
create trigger sealed before insert on public.seals for each row execute function private.sealed();

-- TRG103: the ticket itself goes where its client says; its policy leaves that to the trigger. Without a change none can be inserted
create table public.tickets (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, for_org uuid, body text
);
create function private.route() returns trigger language plpgsql set search_path = ''
as $$
begin
  new.org_id := coalesce(new.for_org, new.org_id);
  return new;
end
$$;
create trigger route before insert on public.tickets for each row execute function private.route();

-- TRG103 through a view: its trigger believes the organisation that the client writes
create view public.box as select i.org_id, i.body from public.inbox as i where i.org_id = (select private.org());
create function private.put() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.inbox (org_id, body) values (new.org_id, new.body);
  return new;
end
$$;
create trigger put instead of insert on public.box for each row execute function private.put();

do $$
declare
  t text;
begin
  foreach t in array array['orgs', 'accounts', 'payments', 'messages', 'inbox', 'orders', 'sums', 'notes', 'note_counts', 'labels', 'label_uses', 'audit_log', 'nodes', 'books', 'book_copies', 'bills', 'patients', 'seals', 'ledgers', 'transfers', 'tickets'] loop
    execute format('alter table public.%I enable row level security', t);
    execute format('revoke all on public.%I from anon, authenticated', t);
    execute format('create policy reads on public.%I for select to authenticated using (org_id = (select private.org()))', t);
    execute format('grant select on public.%I to authenticated', t);
  end loop;
  foreach t in array array['payments', 'messages', 'orders', 'notes', 'labels', 'nodes', 'books', 'bills', 'patients', 'seals', 'transfers'] loop
    execute format('create policy writes on public.%I to authenticated using (org_id = (select private.org())) with check (org_id = (select private.org()))', t);
    execute format('grant insert, update, delete on public.%I to authenticated', t);
  end loop;
end
$$;
revoke all on public.box from anon, authenticated;
grant select, insert on public.box to authenticated;
create policy routed on public.tickets for insert to authenticated with check (true);
grant insert on public.tickets to authenticated;
grant update on public.note_counts to authenticated;
-- TRG104: members tidy the log up
create policy tidies on public.audit_log for delete to authenticated using (org_id = (select private.org()));
grant delete on public.audit_log to authenticated;
-- a view through which its own table is written: what stands there is no log of that, whatever the table is called
create table public.activities (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, what text not null
);
create view public.doings as select a.org_id, a.what from public.activities as a where a.org_id = (select private.org());
create function private.doing() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if new.org_id = private.org() then
    insert into public.activities (org_id, what) values (new.org_id, new.what);
    return new;
  end if;
  raise exception 'doings: not your organisation';
end
$$;
create trigger doing instead of insert on public.doings for each row execute function private.doing();
alter table public.activities enable row level security;
revoke all on public.activities, public.doings from anon, authenticated;
create policy own on public.activities to authenticated using (org_id = (select private.org()));
grant select, insert, delete on public.activities, public.doings to authenticated;
