create type p as (a int, b text);
create table t of p (a with options primary key, b default 'x');
