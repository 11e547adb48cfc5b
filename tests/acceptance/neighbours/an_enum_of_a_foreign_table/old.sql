create foreign data wrapper enum_far;
create server enum_far foreign data wrapper enum_far;
create type k as enum ('a', 'b');
create foreign table f (a k) server enum_far;
