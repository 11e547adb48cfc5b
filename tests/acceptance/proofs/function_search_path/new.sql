create table things (id bigint primary key);
create function how_many() returns bigint language sql stable security definer set search_path = ''
  as 'select count(*) from public.things';
create function plus(a int, b int default 1) returns int language sql immutable parallel safe as 'select a + b';
