create schema app;
create type app.pair as (x integer, y integer);
create function app.lt(app.pair, app.pair) returns boolean language sql immutable as 'select $1.x < $2.x';
create function app.le(app.pair, app.pair) returns boolean language sql immutable as 'select $1.x <= $2.x';
create function app.eq(app.pair, app.pair) returns boolean language sql immutable as 'select $1.x = $2.x';
create function app.ge(app.pair, app.pair) returns boolean language sql immutable as 'select $1.x >= $2.x';
create function app.gt(app.pair, app.pair) returns boolean language sql immutable as 'select $1.x > $2.x';
create function app.cmp(app.pair, app.pair) returns integer language sql immutable as 'select $1.x - $2.x';
create operator app.<# (function = app.lt, leftarg = app.pair, rightarg = app.pair);
create operator app.<=# (function = app.le, leftarg = app.pair, rightarg = app.pair);
create operator app.=# (function = app.eq, leftarg = app.pair, rightarg = app.pair);
create operator app.>=# (function = app.ge, leftarg = app.pair, rightarg = app.pair);
create operator app.># (function = app.gt, leftarg = app.pair, rightarg = app.pair);
create operator family app.orders using btree;
create operator class app.by_x for type app.pair using btree family app.orders as
    operator 1 app.<#, operator 2 app.<=#, operator 3 app.=#, operator 4 app.>=#, operator 5 app.>#,
    function 1 app.cmp(app.pair, app.pair);

create table app.pairs (p app.pair);
create index pairs_p on app.pairs using btree (p app.by_x);
create operator class app.commented for type app.pair using hash as operator 1 app.=#;
