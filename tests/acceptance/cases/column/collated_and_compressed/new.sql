create table t (a text compression pglz collate "C" default 'x');
