create schema app;
create function app.eq(text, text) returns boolean language sql immutable as 'select lower($1) = lower($2)';
create function app.ne(text, text) returns boolean language sql immutable as 'select lower($1) <> lower($2)';
create function app.neg(text) returns text language sql immutable as 'select reverse($1)';


create operator app.=== (
    function = app.eq, leftarg = text, rightarg = text, commutator = operator(app.===), negator = operator(app.!==),
    restrict = eqsel, join = eqjoinsel, hashes, merges
);
create operator app.!== (
    function = app.ne, leftarg = text, rightarg = text, commutator = operator(app.!==), negator = operator(app.===),
    restrict = neqsel, join = neqjoinsel
);
create operator app.!! (function = app.neg, rightarg = text);
comment on operator app.!! (none, text) is 'backwards';
create view app.seen as select 'a' operator(app.===) 'A' as same;
