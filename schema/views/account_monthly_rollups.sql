-- Money in and out per account and month. Refreshed by refresh_account_monthly_rollups().
-- A materialized view has no row-level security, so no role of the API but the service role may read it.
create materialized view public.account_monthly_rollups as
select
  s.org_id,
  s.account_id,
  date_trunc('month', t.posted_on::timestamp)::date as month,
  count(*) as transaction_count,
  coalesce(sum(t.amount) filter (where t.amount > 0), 0) as money_in,
  coalesce(sum(t.amount) filter (where t.amount < 0), 0) as money_out
from public.transactions as t
join public.statements as s on s.org_id = t.org_id and s.id = t.statement_id
group by s.org_id, s.account_id, month;

create unique index account_monthly_rollups_key on public.account_monthly_rollups (org_id, account_id, month);

revoke all on public.account_monthly_rollups from public, anon, authenticated, service_role;
grant select on public.account_monthly_rollups to service_role;

-- What users read instead: the rows of their organisation. It runs with its owner's rights (the materialized view is
-- closed to its readers), so the filter is the whole protection, and security_barrier keeps a reader's own functions
-- behind it.
create view public.org_account_monthly_rollups with (security_barrier = true) as
select r.org_id, r.account_id, r.month, r.transaction_count, r.money_in, r.money_out
from public.account_monthly_rollups as r
where r.org_id = (select private.current_org_id());

revoke all on public.org_account_monthly_rollups from public, anon, authenticated, service_role;
grant select on public.org_account_monthly_rollups to authenticated;
