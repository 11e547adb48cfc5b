create table things (id bigint primary key);
create function how_many() returns bigint language sql stable security definer as 'select count(*) from public.things';
