create table t (a int not null generated always as identity (minvalue 5 start 7), b bigint not null, c bigint generated always as identity (start 4));
