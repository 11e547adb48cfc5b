create domain d as integer;
create table t (a d);
