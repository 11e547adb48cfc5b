create type place as (x int, y int);
create type spot as (x int, y int);
create table joins (x int, y int);
create table leaves of place (x not null);
create table turns of place;
