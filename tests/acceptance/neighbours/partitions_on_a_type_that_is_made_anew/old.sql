create type mood as enum ('low', 'high');
create function known(m mood) returns boolean language sql immutable as 'select true';
create table log (id integer) partition by list (id);
create table log_1 (id integer);
alter table log attach partition log_1 for values in (1);
