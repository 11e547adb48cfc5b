create schema app;
create foreign data wrapper w;
create server s foreign data wrapper w;
create server other foreign data wrapper w;
