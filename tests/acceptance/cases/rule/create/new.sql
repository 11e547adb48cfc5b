create table t (a int);
create table u (a int);
create rule r as on insert to t do also insert into u values (new.a);
comment on rule r on t is 'rr';
