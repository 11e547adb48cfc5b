create schema app;
create table app.orders (id integer primary key, note text);
create table app.items (id integer primary key, "Order" integer);
create publication p;

alter publication p add table app.orders, app.items;
