create table t ("Mixed Case" integer, b integer);
