create table sales (id int primary key, month date not null, amount numeric(10, 2) not null);
create materialized view monthly as select month, sum(amount) as total from sales group by month;
create unique index monthly_key on monthly (month);
comment on materialized view monthly is 'refreshed at night';
grant select on monthly to public;
create view best as select month from monthly where total > 1000;
insert into sales values (1, '2026-01-01', 10.50);
