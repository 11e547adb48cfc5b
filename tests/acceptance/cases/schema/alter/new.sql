create schema a;
create schema b;
comment on schema a is 'new';
grant usage on schema b to public;
