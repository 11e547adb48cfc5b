create domain d as text collate "C" not null default 'x' check (value <> '') constraint short check (length(value) < 9);
comment on domain d is 'dd';
create table t (d d);
