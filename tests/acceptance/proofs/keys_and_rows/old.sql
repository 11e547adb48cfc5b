create table a (id int primary key, code text);
create table b (id serial primary key, a_id int references a (id));
insert into a values (1, 'x'), (2, 'y');
insert into b (a_id) values (1), (2);
