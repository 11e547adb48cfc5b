create table t (a integer, b integer, c integer);
create statistics s (ndistinct) on a, b from t;
create statistics e on lower(c::text), a from t;
