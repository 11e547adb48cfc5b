create schema app;
create table app.visits (id integer, country text, city text, at timestamptz);
