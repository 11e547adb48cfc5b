create schema app;

create collation app.german (provider = icu, locale = 'de');
create collation app.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create collation app.bytes (provider = libc, locale = 'C');
create collation app.mixed (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX');
comment on collation app.german is 'umlauts';
create table app.people (name text collate app.german, login text collate app.blind unique);
create domain app.word as text collate app.bytes;
