create schema app;
create foreign data wrapper w;
create server s foreign data wrapper w;
create server other foreign data wrapper w;

create foreign table app.far (id bigint options (column_name 'id', kept '1'), name text, n integer not null default 2,
    added date options (column_name 'day'), constraint positive check (n > 0))
    server s options (table_name 'FAR', added '2');
comment on foreign table app.far is 'changed';
create foreign table app.moved (id integer not null default 3, name text) server other options (table_name 'moved');
grant select on app.moved to pg_monitor;
create view app.near as select id from app.moved;
