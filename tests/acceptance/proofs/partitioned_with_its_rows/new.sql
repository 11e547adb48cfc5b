create table visits (id bigint generated always as identity primary key, place text not null, note text) partition by hash (id);
create table visits_0 partition of visits for values with (modulus 2, remainder 0);
create table visits_1 partition of visits for values with (modulus 2, remainder 1);
create index visits_place on visits (place);
create view places as select distinct place from visits;
