create schema app;
create function app.eq(text, text) returns boolean language sql immutable as 'select lower($1) = lower($2)';
create function app.ne(text, text) returns boolean language sql immutable as 'select lower($1) <> lower($2)';
create function app.neg(text) returns text language sql immutable as 'select reverse($1)';
