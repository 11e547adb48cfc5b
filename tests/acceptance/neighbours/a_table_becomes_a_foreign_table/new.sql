create foreign data wrapper becomes_far;
create server becomes_far foreign data wrapper becomes_far;
create foreign table t (same boolean, a date) server becomes_far;
