create foreign data wrapper enum_far;
create server enum_far foreign data wrapper enum_far;
create type k as enum ('b', 'c');
create foreign table f (a k) server enum_far;
