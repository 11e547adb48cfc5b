create schema api;
create function api.secret() returns int language sql as 'select 42';
create table api.t (id int primary key, hidden text, shown text);
grant select on api.t to public;
