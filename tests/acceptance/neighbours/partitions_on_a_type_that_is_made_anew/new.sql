create type mood as enum ('high');
create function known(m mood) returns boolean language sql immutable as 'select true';
create table log (id integer, b integer, g integer generated always as (b + 1) stored) partition by list (id);
create table log_1 (id integer, b integer, g integer generated always as (b + 1) stored);
alter table log_1 add constraint small check (b < 9 or g is null);
alter table log attach partition log_1 for values in (1);
create table z_item (id integer, m mood default 'high', n mood generated always as (coalesce(m, m)) stored, constraint known check (known(m)))
  partition by list (id);
create table a_part (id integer, m mood default 'high', n mood generated always as (coalesce(m, m)) stored, constraint known check (known(m)));
alter table z_item attach partition a_part for values in (1);
