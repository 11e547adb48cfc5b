create table counters (id serial primary key, n int not null default 0);
create sequence tickets start 100;
insert into counters (n) values (1), (2), (3);
