create table t (a integer) partition by list (a);
create table p partition of t for values in (2);
create table q partition of t for values in (1);
create table s partition of t for values in (3);
