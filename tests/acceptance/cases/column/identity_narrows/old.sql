create table t (a bigint generated always as identity (maxvalue 5000000000), b int generated always as identity);
