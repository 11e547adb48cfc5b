create access method stored type table handler heap_tableam_handler;
create access method searched type index handler bthandler;
comment on access method stored is 'heap by another name';
create table public.t (id integer) using stored;
