set check_function_bodies = off;
create table events (code int);
create function z_last() returns int language sql stable set search_path from current as 'select 3';
create function m_middle() returns int language plpgsql stable set search_path from current as 'begin return z_last(); end';
create function a_first() returns int language sql stable set search_path from current as 'select m_middle()';
create materialized view a_view as select a_first() as n;
alter table events add constraint known check (code < a_first() + 100);
create index on events ((code + 1)) where code > 0;
