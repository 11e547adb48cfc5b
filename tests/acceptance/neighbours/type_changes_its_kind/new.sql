create domain k as text;
create type l as enum ('x');
create function f(k) returns int language sql as 'select 1';
