create type span as range (subtype = numeric, multirange_type_name = spans);
create table used (id int primary key, at span not null default '[1,2)', many span[], note text, check (not isempty(at)), exclude using gist (at with &&));
create index used_at on used using gist (at);
create function width(s span) returns bigint language sql immutable as 'select upper(s) - lower(s)';
create view wide as select id, at from used where width(at) > 1;
comment on type span is 'from to';
