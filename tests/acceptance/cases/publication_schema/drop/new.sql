create schema app;
create schema "Other";
create table app.orders (id integer primary key);
create publication p;
