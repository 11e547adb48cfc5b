create schema app;

create collation app.bytes (provider = libc, locale = 'C');
create collation app.mixed (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX');
comment on collation app.bytes is 'no language';
create table app.people (name text collate app.bytes unique, "Login" text collate app.mixed);
create domain app.word as text collate app.bytes;
