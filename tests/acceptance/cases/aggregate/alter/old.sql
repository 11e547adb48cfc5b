create schema app;
create function app.add(integer, integer) returns integer language sql immutable as 'select $1 + $2';
create aggregate app.total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
create aggregate app.other(integer) (sfunc = int4pl, stype = integer);
create aggregate app.commented(integer) (sfunc = int4larger, stype = integer);
comment on aggregate app.commented(integer) is 'before';
create view app.summary as select app.total(n) as total, app.other(n)::bigint as other from generate_series(1, 3) as n;
