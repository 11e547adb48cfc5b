create domain d as text;
create table t (d d);
