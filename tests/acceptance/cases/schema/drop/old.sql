create schema billing;
create table billing.t (id int primary key);
create function billing.f() returns int language sql as 'select 1';
