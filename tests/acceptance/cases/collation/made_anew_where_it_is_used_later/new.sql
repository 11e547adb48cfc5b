create collation bytes (provider = libc, locale = 'POSIX');
create table note (id integer, body text collate bytes, title text collate bytes);
create table log (id integer, title text collate bytes);
