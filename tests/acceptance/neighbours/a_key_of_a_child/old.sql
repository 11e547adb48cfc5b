create table parent (id integer not null, a text);
create table other (id integer);
