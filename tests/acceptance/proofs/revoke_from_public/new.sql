create schema api;
grant usage on schema api to public;
create function api.secret() returns int language sql as 'select 42';
revoke execute on function api.secret() from public;
create table api.t (id int primary key, hidden text, shown text);
grant select (id, shown) on api.t to public;
create type api.kind as enum ('a', 'b');
revoke usage on type api.kind from public;
