create function f(int) returns int language sql as 'select 2';
create function f(int[]) returns int language sql as 'select 3';
create function f(variadic text[]) returns int language sql as 'select 4';
