create type p as (y text);
create table t (p p);
