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
create operator family app.loose using btree;
alter operator family app.loose using btree add operator 1 app.<# (app.pair, app.pair),
    function 1 (app.pair, app.pair) app.cmp(app.pair, app.pair);
comment on operator family app.orders using btree is 'ways to order';
