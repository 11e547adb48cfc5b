create table readings (id int not null, region text not null, at date not null, value numeric(6, 2));
alter table readings add primary key (id, region, at);
drop table readings;
create table readings (id int not null, region text not null, at date not null, value numeric(6, 2), primary key (id, region, at)) partition by range (at);
create table readings_old partition of readings for values from (minvalue) to ('2025-01-01');
create table readings_new partition of readings for values from ('2025-01-01') to (maxvalue);
create index readings_value on readings (value);
create view old_ones as select * from readings_old;
create table corrections (id int, region text, at date, foreign key (id, region, at) references readings);
