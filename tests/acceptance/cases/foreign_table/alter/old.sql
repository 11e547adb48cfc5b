create schema app;
create foreign data wrapper w;
create server s foreign data wrapper w;
create server other foreign data wrapper w;

create foreign table app.far (id integer options (column_name 'ID', kept '1'), gone text, name varchar(10), n integer default 1)
    server s options (table_name 'far', gone '1');
create foreign table app.moved (id integer not null default 3, name text) server s options (table_name 'moved');
grant select on app.moved to pg_monitor;
create view app.near as select id from app.moved;
