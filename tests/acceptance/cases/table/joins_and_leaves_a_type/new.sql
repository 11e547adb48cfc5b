create type place as (x int, y int);
create type spot as (x int, y int);
create table joins of place (y default 3);
create table leaves (x int not null, y int);
create table turns of spot;
