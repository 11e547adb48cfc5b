create schema app;
create foreign data wrapper w;
create server s foreign data wrapper w;
create server other foreign data wrapper w;


create foreign table app.far (
    id integer options (column_name 'ID') not null default 7,
    name text options (column_name 'Name') collate "C",
    constraint positive check (id > 0)
) server s options (schema_name 'remote', table_name 'far');
comment on foreign table app.far is 'elsewhere';
comment on column app.far.name is 'its name';
grant select on app.far to pg_monitor;
grant update (name) on app.far to pg_monitor;
create foreign table app.empty () server s;
create function app.stamp() returns trigger language plpgsql as 'begin return new; end';
create trigger stamp before insert on app.far for each row execute function app.stamp();
create view app.near as select id from app.far;
