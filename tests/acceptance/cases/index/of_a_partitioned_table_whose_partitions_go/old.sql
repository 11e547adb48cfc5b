create table item (id bigint, note text) partition by hash (id);
create table item_0 partition of item for values with (modulus 2, remainder 0);
create table item_1 partition of item for values with (modulus 2, remainder 1);
