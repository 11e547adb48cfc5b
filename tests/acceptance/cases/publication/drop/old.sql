create table public.orders (id integer primary key, note text);


create publication everything for all tables with (publish = 'insert, update');
create publication nothing with (publish_via_partition_root = true);
comment on publication nothing is 'filled later';
