create table t (a int, b text);
create index i on t (a, b);
create index j on t (b text_pattern_ops) where a = 2;
comment on index j is 'jj';
