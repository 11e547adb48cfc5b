create schema app;
create table app.visits (id integer, country text, city text, at timestamptz);


create statistics app.places (dependencies, ndistinct) on country, city from app.visits;
create statistics app.everything on country, city, (date_trunc('day', at at time zone 'utc')) from app.visits;
alter statistics app.everything set statistics 500;
comment on statistics app.places is 'a city lies in one country';
