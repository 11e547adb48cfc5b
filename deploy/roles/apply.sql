-- The role of mode apply: it changes the schema as its owner does, keeps reconciler's history, and is no superuser.
--
--   psql "$ADMIN_URL" -v owner=app_owner -f apply.sql                    # in each database; owner: who owns the tables
--   psql "$ADMIN_URL" -v owner=app_owner -v schemas='public billing' -f apply.sql
--   psql "$ADMIN_URL" -c '\password reconciler_apply'                    # a password is never written into a file of SQL
--
-- role (reconciler_apply), owner (none: it may then change only what it creates itself), schemas (public). It can run again at any time.
-- `reconciler doctor` as this role says what is still missing. Roles that only look need observe.sql again after the first apply.
--
-- Being a member of the owner is what PostgreSQL asks for: there is no privilege to alter a table (manual: 5.7 Privileges). Objects owned by a
-- superuser are out of its reach on purpose: give them to `owner` first (reassign owned by … to …).
--
-- Supabase: tables belong to `postgres`, which is no superuser there, and from PostgreSQL 16 on nobody may grant it. Let reconciler connect
-- as `postgres` itself, over the direct address or the session pooler (port 5432; 6543 is transaction mode, which is refused), or give
-- your own schema an owner of its own and use this file for that. Always with `platform: supabase`.
-- RDS, Aurora: as the master user, which must have created `owner` or hold it WITH ADMIN OPTION. rds_superuser is not needed, nor should
-- it be granted. `reconciler listener install` needs it once (event triggers); run that as the master user.
\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role reconciler_apply
\endif
\if :{?schemas}
\else
  \set schemas public
\endif

begin;

select pg_catalog.count(*) = 0 as is_new from pg_catalog.pg_roles where rolname = :'role' \gset
\if :is_new
  create role :"role" login;
\endif
-- A superuser's plans are held to no right, so the rehearsal could not find out what production would deny.
select pg_catalog.count(*) = 0 as is_plain from pg_catalog.pg_roles
 where rolname = :'role' and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls) \gset
\if :is_plain
\else
  do $$ begin raise exception 'this role may do more than change a schema: take another one'; end $$;
\endif

\if :{?owner}
  grant :"owner" to :"role";
\endif

-- CREATE on a database is the right to make schemas in it, no more: its own two (history, quarantine), those that are declared, and trusted
-- extensions.
grant connect, create, temporary on database :"DBNAME" to :"role";
select pg_catalog.format('grant usage, create on schema %I to %I', name, :'role')
  from pg_catalog.regexp_split_to_table(:'schemas', '[ ,]+') as name \gexec

-- It sees who holds a lock it waits for, and how far standbys lag. Where the administrator may not grant it, messages say less.
select pg_catalog.set_config('reconciler.grantee', :'role', true) \gset
do $$
begin
  execute pg_catalog.format('grant pg_monitor to %I', pg_catalog.current_setting('reconciler.grantee'));
exception when insufficient_privilege then
  raise notice 'pg_monitor is not granted: holders of locks stay nameless, lag of standbys unseen';
end
$$;

commit;

-- What it still cannot change: objects whose owner it is no member of.
select n.nspname || '.' || c.relname as "out of reach", pg_catalog.pg_get_userbyid(c.relowner) as "owned by"
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where n.nspname = any (pg_catalog.regexp_split_to_array(:'schemas', '[ ,]+'))
   and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
   and not pg_catalog.pg_has_role(:'role', c.relowner, 'usage')
 order by 1;
