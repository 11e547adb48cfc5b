create table t (a int, b text);
create unique index i on t (a desc nulls last, lower(b)) include (b) with (fillfactor = 50) where a > 0;
create index h on t using hash (b);
alter index i alter column 2 set statistics 300;
comment on index i is 'ii';
