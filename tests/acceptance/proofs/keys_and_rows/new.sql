create table a (id int, code text not null, primary key (id), constraint a_code unique (code) deferrable);
create table b (id bigserial primary key, a_id int references a (id) on delete cascade deferrable initially deferred);
create unique index one_each on b (a_id) where a_id is not null;
alter table b add constraint positive check (id > 0) not valid;
