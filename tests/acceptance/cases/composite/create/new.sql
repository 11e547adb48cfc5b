create type p as (x int, y text);
comment on type p is 'point';
comment on column p.x is 'across';
