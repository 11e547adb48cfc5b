-- The role of mode propose: it plans and rehearses as the role of apply would, and may do no more to the database than observe.
--
--   psql "$ADMIN_URL" -f apply.sql …                                     # first: the role it stands in for
--   psql "$ADMIN_URL" -v role=reconciler_propose -f observe.sql          # what it may read
--   psql "$ADMIN_URL" -f propose.sql
--   psql "$ADMIN_URL" -c '\password reconciler_propose'
--
-- role (reconciler_propose), apply (reconciler_apply).
--
-- A rehearsal runs on the shadow with the attributes and memberships of the role that connects here, so this role is made a member of
-- reconciler_apply. From PostgreSQL 16 on the membership carries no right here (INHERIT FALSE, SET FALSE) and counts on the shadow alone.
-- Before 16 there is no such membership: there only default_transaction_read_only stands between it and the tables, and a session may
-- switch that off. Then guard its password like that of reconciler_apply.
--
-- To ask the rows beforehand (nulls before NOT NULL, duplicates before UNIQUE) it needs SELECT on the tables; without, the plan says "not
-- decided". Whoever prefers the answer: grant select on all tables in schema public to reconciler_propose;
--
-- Supabase, RDS: as in observe.sql and apply.sql. Supabase as `postgres` itself has no role to propose with: use observe, and plan in CI.
\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role reconciler_propose
\endif
\if :{?apply}
\else
  \set apply reconciler_apply
\endif

select pg_catalog.current_setting('server_version_num')::integer >= 160000 as bare_memberships \gset
\if :bare_memberships
  grant :"apply" to :"role" with inherit false, set false;
\else
  grant :"apply" to :"role";
\endif
