create foreign data wrapper w;

create server first type 'kind' version '1.0' foreign data wrapper w options (host 'db1', dbname 'shop');
create server second foreign data wrapper w;
comment on server second is 'bare';
grant usage on foreign server first to pg_monitor with grant option;
