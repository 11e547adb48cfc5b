create table log (id integer primary key, up integer) partition by range (id);
create table log_1 partition of log for values from (1) to (9);
create table log_2 partition of log for values from (9) to (19) partition by range (id);
create table log_21 partition of log_2 for values from (9) to (12);
create table note (id integer, log integer references log (id));
create table loose (id integer, log integer);
create table freed (id integer, log integer);
alter table freed add constraint points foreign key (log) references log (id);
alter table log add constraint upwards foreign key (up) references log (id);
