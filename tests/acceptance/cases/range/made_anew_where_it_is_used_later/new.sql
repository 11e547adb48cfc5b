create type span as range (subtype = numeric);
create function wide(s span) returns boolean language sql immutable as 'select true';
create table note (id integer, body span, spans text[], more span[]);
create table log (id integer, s span, check (wide(s)));
create domain piece as span;
create type pair as (a span, b integer);
