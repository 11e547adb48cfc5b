create table sales (id int primary key, month date not null, amount numeric(12, 2) not null, tax numeric(12, 2));
create materialized view monthly as
  select month, sum(amount) as total, sum(tax) as tax from sales group by month;
create unique index monthly_key on monthly (month);
comment on materialized view monthly is 'refreshed at night';
grant select on monthly to public;
create view best as select month from monthly where total > 1000;
