create type p as (x bigint, y text collate "C", z int);
comment on column p.y is 'up';
