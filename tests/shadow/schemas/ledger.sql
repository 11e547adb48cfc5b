-- Bookkeeping for many organisations: everything carries the organisation, amounts balance, periods close, documents are numbered.
create schema ledger; create schema directory;
create domain directory.country as char(2) check (value ~ '^[A-Z]{2}$');
create domain directory.iban as text check (value ~ '^[A-Z]{2}\d{2}[A-Z0-9]{10,30}$') check (length(value) between 15 and 34);
create domain ledger.amount as numeric(16, 2) not null;
create domain ledger.period as date check (extract(day from value) = 1);
create type ledger.side as enum ('debit', 'credit');
create type ledger.line_draft as (account integer, amount numeric(16, 2), side ledger.side);
create table directory.organisation (
  org_id uuid primary key default gen_random_uuid(), slug text not null unique check (slug ~ '^[a-z][a-z0-9-]{2,30}$' and slug <> 'admin'),
  country directory.country not null, plan text not null default 'free' check (plan in ('free', 'team', 'enterprise')), seats integer not null default 1, fiscal_start smallint not null check (fiscal_start between 1 and 12),
  check (plan <> 'free' or seats <= 3), check (plan <> 'enterprise' or seats >= 50)
);
create table directory.person (
  org_id uuid not null references directory.organisation, person_id uuid not null default gen_random_uuid(), display_name text not null check (char_length(display_name) between 1 and 80),
  invited_by uuid, email text not null check (email = lower(email) and email like '_%@_%._%'), status text not null check (status in ('invited', 'active', 'gone')), activated_at timestamptz,
  primary key (org_id, person_id), unique (org_id, email), foreign key (org_id, invited_by) references directory.person (org_id, person_id),
  check ((status = 'invited') = (activated_at is null)), check (invited_by is distinct from person_id)
);
create table directory.team (org_id uuid not null, team_id integer generated always as identity, lead_id uuid not null, name text not null, primary key (org_id, team_id), foreign key (org_id, lead_id) references directory.person);
create table directory.membership (
  org_id uuid not null, team_id integer not null, person_id uuid not null, role text not null default 'member' check (role::text = any ((array['member'::character varying, 'lead'::character varying])::text[])),
  primary key (org_id, team_id, person_id), foreign key (org_id, team_id) references directory.team, foreign key (org_id, person_id) references directory.person
);
create table ledger.account (
  org_id uuid not null references directory.organisation, account integer not null check (account between 1000 and 9999), parent integer, name text not null,
  type text not null check (type in ('asset', 'liability', 'equity', 'income', 'expense')), normal ledger.side not null generated always as (case when type in ('asset', 'expense') then 'debit'::ledger.side else 'credit'::ledger.side end) stored,
  primary key (org_id, account), foreign key (org_id, parent) references ledger.account, check (parent < account)
);
create table ledger.fiscal_period (
  org_id uuid not null references directory.organisation, starts ledger.period not null, ends date not null, closed_by uuid, closed_at timestamptz,
  primary key (org_id, starts), foreign key (org_id, closed_by) references directory.person,
  check (ends = (starts + interval '1 month - 1 day')::date), check ((closed_by is null) = (closed_at is null))
);
create table ledger.entry (
  org_id uuid not null, entry_id bigint not null, period ledger.period not null, posted_on date not null, author_id uuid not null, reverses bigint, draft ledger.line_draft[] , memo text,
  primary key (org_id, entry_id), foreign key (org_id, period) references ledger.fiscal_period, foreign key (org_id, author_id) references directory.person, foreign key (org_id, reverses) references ledger.entry,
  check (posted_on >= period and posted_on < period + interval '1 month'), check (reverses < entry_id)
);
create table ledger.entry_line (
  org_id uuid not null, entry_id bigint not null, line integer not null check (line >= 1), account integer not null, side ledger.side not null, amount ledger.amount check (amount > 0), debit numeric(16, 2), credit numeric(16, 2),
  primary key (org_id, entry_id, line), foreign key (org_id, entry_id) references ledger.entry on delete cascade, foreign key (org_id, account) references ledger.account,
  check (case side when 'debit' then debit = amount and credit is null else credit = amount and debit is null end)
);
create table ledger.bank_account (org_id uuid not null references directory.organisation, iban directory.iban not null, bic text check (bic ~ '^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$'), account integer not null, primary key (org_id, iban), foreign key (org_id, account) references ledger.account);
create table ledger.statement (
  org_id uuid not null, iban directory.iban not null, number integer not null, opening ledger.amount, movements ledger.amount, closing ledger.amount, span daterange not null,
  primary key (org_id, iban, number), foreign key (org_id, iban) references ledger.bank_account, check (closing = opening + movements), check (upper(span) - lower(span) <= 31),
  exclude using gist (span with &&)
);
create table ledger.document (
  org_id uuid not null references directory.organisation, number text not null check (number ~ '^(INV|CRN)-20[0-9]{2}-[0-9]{5}$'), kind text not null check (kind in ('INV', 'CRN')), corrects text, issued date not null, due date not null,
  total ledger.amount, language text not null check (language in ('de', 'en')), content bytea not null check (substring(content from 1 for 4) = '\x25504446'), meta jsonb not null check (meta ?& array['sender', 'receiver']),
  primary key (org_id, number), foreign key (org_id, corrects) references ledger.document (org_id, number), check (left(number, 3) = kind), check ((kind = 'CRN') = (corrects is not null)), check (due between issued and issued + 90)
);
create table ledger.allocation (org_id uuid not null, number text not null, entry_id bigint not null, line integer not null, amount ledger.amount, primary key (org_id, number, entry_id, line), foreign key (org_id, number) references ledger.document, foreign key (org_id, entry_id, line) references ledger.entry_line);
create table ledger.budget (
  org_id uuid not null, account integer not null, year smallint not null check (year between 2000 and 2100), months numeric(14, 2)[] not null check (array_length(months, 1) = 12), approved_by uuid, approval text check (approval in ('yes', 'no')),
  primary key (org_id, account, year), foreign key (org_id, account) references ledger.account, foreign key (org_id, approved_by) references directory.person, check ((approved_by is not null) = (approval is not null))
);
-- three tables in a ring, no key of it may be NULL
create table ledger.contract (org_id uuid not null references directory.organisation, contract_id integer not null, current_version integer not null, primary key (org_id, contract_id));
create table ledger.contract_version (org_id uuid not null, contract_id integer not null, version integer not null check (version > 0), signed_copy uuid not null, primary key (org_id, contract_id, version), foreign key (org_id, contract_id) references ledger.contract deferrable);
create table ledger.contract_file (org_id uuid not null, file_id uuid not null, contract_id integer not null, mime text not null check (mime ~ '^[a-z]+/[a-z0-9.+-]+$'), primary key (org_id, file_id), foreign key (org_id, contract_id) references ledger.contract deferrable);
alter table ledger.contract add foreign key (org_id, contract_id, current_version) references ledger.contract_version deferrable initially deferred;
alter table ledger.contract_version add foreign key (org_id, signed_copy) references ledger.contract_file deferrable initially deferred;
create table ledger.audit (id bigint generated always as identity, org_id uuid not null, at timestamptz not null default clock_timestamp(), actor text not null default current_user, subject regclass, op "char" not null check (op in ('I', 'U', 'D')), before jsonb, after jsonb, check ((op = 'I') = (before is null)), check ((op = 'D') = (after is null)));
create table ledger.setting (org_id uuid not null references directory.organisation, key text not null check (key ~ '^[a-z_]+(\.[a-z_]+)+$'), value jsonb not null, kind text not null, check (kind = jsonb_typeof(value)), primary key (org_id, key));
create table ledger.tax_rate (country directory.country, valid daterange not null, rate numeric(5, 4) check (rate >= 0 and rate < 1), check (lower(valid) is not null), exclude using gist (valid with &&) where (country = 'DE'));
