create materialized view m as select 1 as a, 'x'::text as b;
alter materialized view m alter column b set statistics 50, alter column b set storage external, alter column a set (n_distinct = 5);
