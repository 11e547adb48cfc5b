create type k as enum ('a', 'b');
create table t (a k, b text, c k);
