-- The role of mode observe: it reads the catalog and reconciler's own history, no row of anybody's table, and writes nothing.
--
--   psql "$ADMIN_URL" -f observe.sql                                     # in each database that is looked at
--   psql "$ADMIN_URL" -v role=reconciler_observe -f observe.sql          # another name
--   psql "$ADMIN_URL" -c '\password reconciler_observe'                  # a password is never written into a file of SQL
--
-- It can run again at any time. Run it again after a new version of reconciler was the first to apply: an upgrade of the history takes
-- grants on it back, and reconciler then says which are missing.
--
-- Supabase: as `postgres`, over the direct address or the session pooler (port 5432; 6543 is transaction mode, which is refused). `platform:
-- supabase` in reconciler.yaml leaves Supabase's own schemas alone.
-- RDS, Aurora: as the master user; nothing here needs a superuser. Add `grant rds_iam to …` for IAM tokens in place of a password.
\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role reconciler_observe
\endif

begin;

select pg_catalog.count(*) = 0 as is_new from pg_catalog.pg_roles where rolname = :'role' \gset
\if :is_new
  create role :"role" login;
\endif
-- Where a superuser runs this, attributes that somebody gave the role before are not taken over: an ALTER that names them needs a superuser
-- on most clouds even to switch them off, so it is looked at instead.
select pg_catalog.count(*) = 0 as is_plain from pg_catalog.pg_roles
 where rolname = :'role' and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls) \gset
\if :is_plain
\else
  do $$ begin raise exception 'this role may do more than look: take another one'; end $$;
\endif

-- A belt, not a lock: a session may switch it off. The lock is that nothing is granted below but SELECT and USAGE.
alter role :"role" set default_transaction_read_only = on;
-- A look takes seconds, on 5,000 tables too. One that hangs must not hold back VACUUM.
alter role :"role" set statement_timeout = '5min';
alter role :"role" set idle_in_transaction_session_timeout = '1min';

grant connect on database :"DBNAME" to :"role";

-- What was applied, by whom, and what is ours. Missing as long as nothing was ever applied.
select pg_catalog.count(*) > 0 as has_history from pg_catalog.pg_namespace where nspname = 'reconciler' \gset
\if :has_history
  grant usage on schema reconciler to :"role";
  grant select on all tables in schema reconciler to :"role";
\endif

commit;

-- What PUBLIC may do, this role may do too. It is shown here and not changed, since others may rely on it.
select 'PUBLIC may create objects in schema ' || pg_catalog.quote_ident(n.nspname) as "look at this",
       pg_catalog.format('revoke create on schema %I from public;', n.nspname) as "to take it back"
  from pg_catalog.pg_namespace n
 where exists (select from pg_catalog.aclexplode(n.nspacl) a where a.grantee = 0 and a.privilege_type = 'CREATE')
 order by 1;
