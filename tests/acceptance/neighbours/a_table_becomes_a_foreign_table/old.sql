create foreign data wrapper becomes_far;
create server becomes_far foreign data wrapper becomes_far;
create table t (same boolean, a numeric default 0, gone integer);
comment on column t.gone is 'of a column';
