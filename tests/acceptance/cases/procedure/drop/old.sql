create table log (a int);
create procedure p(a int, inout b int) language sql as 'select 1';
comment on procedure p is 'pp';
