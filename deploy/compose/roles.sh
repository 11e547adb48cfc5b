#!/bin/sh
# Runs once, when the volume of PostgreSQL is empty: the role that reconciler connects as, and its password.
set -eu
psql -X -q -U postgres -d "$POSTGRES_DB" -f /roles/apply.sql
psql -X -q -U postgres -d "$POSTGRES_DB" -v ON_ERROR_STOP=1 <<'SQL'
\set password `cat /run/secrets/reconciler_password`
alter role reconciler_apply password :'password';
SQL
