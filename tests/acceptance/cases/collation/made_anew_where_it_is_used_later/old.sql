create collation bytes (provider = libc, locale = 'C');
create table note (id integer, body text);
