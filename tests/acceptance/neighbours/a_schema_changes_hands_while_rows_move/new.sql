create schema app;
alter schema app owner to pg_monitor;
comment on schema app is 'in other hands';
create table app.t (id integer, note text);
