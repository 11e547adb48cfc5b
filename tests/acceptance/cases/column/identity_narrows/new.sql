create table t (a int generated always as identity, b bigint generated always as identity (maxvalue 6000000000));
