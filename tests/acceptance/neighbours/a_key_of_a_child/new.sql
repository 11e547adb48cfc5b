create table parent (id integer not null, a text);
create table child (b integer) inherits (parent);
alter table child add primary key (id);
