create type state as enum ('open', 'closed');
create table orders (id int primary key, state state not null default 'open');
create index open_orders on orders (id) where state = 'open';
create view closed as select id from orders where state = 'closed';
insert into orders values (1, 'open'), (2, 'closed');
