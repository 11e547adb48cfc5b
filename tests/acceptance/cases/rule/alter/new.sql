create table t (a int);
create table u (a int);
create rule r as on insert to t where new.a > 1 do instead nothing;
alter table t disable rule r;
