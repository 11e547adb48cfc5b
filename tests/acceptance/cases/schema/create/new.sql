create schema billing;
comment on schema billing is 'invoices';
create table billing.t (id int primary key);
