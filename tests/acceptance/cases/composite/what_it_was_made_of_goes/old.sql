create type level as enum ('a');
create type pair as (a level, z date);
create table t (x pair, y pair);
