create table counters (id int generated always as identity primary key, n int not null default 0);
create sequence tickets increment by 10 minvalue 0 start 100 cache 5;
comment on sequence tickets is 'by tens';
