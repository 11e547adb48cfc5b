create type span as range (subtype = double precision);
create function wide(s span) returns boolean language sql immutable as 'select true';
create table note (id integer, body text, spans text[]);
create domain piece as text;
