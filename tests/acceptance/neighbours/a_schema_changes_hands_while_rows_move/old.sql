create schema app;
create type app.mood as enum ('low');
create function app.guard() returns trigger language plpgsql as 'begin return new; end';
create table app.t (id integer, m app.mood) partition by range (id);
create table app.t_1 partition of app.t for values from (1) to (9);
create trigger guard before insert on app.t for each row execute function app.guard();
