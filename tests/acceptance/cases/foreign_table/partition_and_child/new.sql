create schema app;
create foreign data wrapper w;
create server s foreign data wrapper w;
create server other foreign data wrapper w;

create table app.events (id integer, at date) partition by range (at);
create foreign table app.old_events partition of app.events for values from ('2020-01-01') to ('2021-01-01') server s;
create table app.parent (id integer);
create foreign table app.child (more text) inherits (app.parent) server s;
