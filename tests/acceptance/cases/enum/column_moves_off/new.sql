create type k as enum ('b');
create table t (a text, b k);
