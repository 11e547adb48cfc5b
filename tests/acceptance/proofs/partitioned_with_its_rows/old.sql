create table visits (id bigint generated always as identity primary key, place text not null, note text);
create index visits_place on visits (place);
create view places as select distinct place from visits;
