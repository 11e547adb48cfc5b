create table item (id bigint, note text) partition by hash (id);
create table item_1 (id bigint, note text);
create index item_note on item (note);
