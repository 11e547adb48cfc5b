create table log (id integer primary key, up integer) partition by range (id);
create table log_1 partition of log for values from (1) to (9);
create table note (id integer, log integer references log (id));
create table loose (id integer, log integer);
alter table loose add constraint points foreign key (log) references log (id);
create table freed (id integer, log integer);
