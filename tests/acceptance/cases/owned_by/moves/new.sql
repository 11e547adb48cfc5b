create sequence s;
create table a (id int);
create table b (id int default nextval('s'));
alter sequence s owned by b.id;
