create type p as (x int, y text);
create table t (p p);
