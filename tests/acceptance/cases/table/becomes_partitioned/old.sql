create table visits (
  id bigint generated always as identity primary key,
  at date not null,
  place text default 'here',
  note varchar(20),
  gone int,
  length int generated always as (char_length(note)) stored
);
create index visits_place on visits (place);
create table stops (id int primary key);
alter table visits add stop int references stops;
alter table visits enable row level security, force row level security;
create policy everyone on visits using (true);
create function touch() returns trigger language plpgsql as 'begin new.place := ''touched''; return new; end';
create trigger touched before insert on visits for each row execute function touch();
create view places as select place, count(*) as n from visits group by place;
create materialized view noted as select id, note from visits with data;
comment on table visits is 'who came';
comment on column visits.note is 'what they said';
grant select (place) on visits to public;
