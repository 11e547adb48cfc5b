create table given (id serial);
alter table given owner to pg_monitor;
create table kept (id serial);
