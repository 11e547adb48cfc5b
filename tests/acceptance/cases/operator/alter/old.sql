create schema app;
create function app.eq(text, text) returns boolean language sql immutable as 'select lower($1) = lower($2)';
create function app.ne(text, text) returns boolean language sql immutable as 'select lower($1) <> lower($2)';
create function app.neg(text) returns text language sql immutable as 'select reverse($1)';

create operator app.=== (function = app.eq, leftarg = text, rightarg = text, restrict = eqsel);
create operator app.!== (function = app.eq, leftarg = text, rightarg = text);
create operator app.@@@ (function = app.eq, leftarg = text, rightarg = text);
create view app.seen as select 'a' operator(app.!==) 'A' as same;
