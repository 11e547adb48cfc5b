create table t (b integer, a integer, c integer);
create statistics s (ndistinct) on a, b from t;
create statistics e on lower(c::text), a, b from t;
