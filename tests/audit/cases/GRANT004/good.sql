create schema shop;
create table shop.countries (code text primary key);
grant select on shop.countries to authenticated;
