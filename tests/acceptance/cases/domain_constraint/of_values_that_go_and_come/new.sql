create domain code as text constraint short check (length(value) < 9);
create domain part as text not null;
create domain item as integer constraint positive check (value > 0);
create type pair as (a code, b integer);
create type twice as (p pair);
create type three as (i integer, n integer);
create type four as (i item, n integer);
create table note (id integer, c code, parts text, more pair[], three three, four four);
create table come (id integer, p part[]);
