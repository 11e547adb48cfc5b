create domain code as varchar(9);
create table note (id integer, title varchar(9), day date, code code);
create statistics known on id, title from note;
alter statistics known set statistics 33;
comment on statistics known is 'together';
alter statistics known owner to pg_monitor;
create statistics coded on id, code from note;
alter statistics coded set statistics 44;
