create foreign data wrapper w;
create server s foreign data wrapper w;
create user mapping for public server s options ("user" 'b', added '2');
create user mapping for pg_monitor server s options ("user" 'reader');
