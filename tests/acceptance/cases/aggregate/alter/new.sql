create schema app;
create function app.add(integer, integer) returns integer language sql immutable as 'select $1 + $2';
create aggregate app.total(integer) (sfunc = app.add, stype = integer, initcond = '10', parallel = restricted);
create function app.count_up(bigint, integer) returns bigint language sql immutable as 'select $1 + 1';
create aggregate app.other(integer) (sfunc = app.count_up, stype = bigint, initcond = '0');
create aggregate app.commented(integer) (sfunc = int4larger, stype = integer);
comment on aggregate app.commented(integer) is 'after';
revoke execute on function app.commented(integer) from public;
create view app.summary as select app.total(n) as total, app.other(n)::bigint as other from generate_series(1, 3) as n;
