create domain d as text collate "C" default 'y' constraint short check (length(value) < 99);
create table t (d d);
