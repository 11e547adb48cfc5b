create type state as enum ('new', 'open', 'closed', 'archived');
create table orders (id int primary key, state state not null default 'new');
create index open_orders on orders (id) where state = 'open';
create view closed as select id from orders where state in ('closed', 'archived');
alter table orders add constraint known check (state <> 'archived' or id > 0);
