create schema app;
create function app.apart(time, time) returns double precision language sql immutable strict
    as 'select extract(epoch from ($1 - $2))::double precision';
create type app.hours as range (subtype = time, subtype_diff = app.apart, multirange_type_name = app.schedule);
comment on type app.hours is 'opening hours';
create type public.words as range (subtype = text, collation = "C");
revoke usage on type public.words from public;
create table app.shop (id integer primary key, open app.hours, weekly app.schedule);
create function app.is_open(app.hours, time) returns boolean language sql immutable as 'select $2 <@ $1';
