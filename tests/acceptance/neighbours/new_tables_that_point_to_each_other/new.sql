create table a (id integer primary key, b integer);
create table b (id integer primary key, a integer references a);
alter table a add foreign key (b) references b deferrable;
create table c (id integer primary key, a integer references a, self integer references c);
