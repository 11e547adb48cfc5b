create table readings (id int not null, region text not null, at date not null, value numeric(6, 2), primary key (id, region, at)) partition by list (region);
create table readings_new partition of readings for values in ('north', 'south');
create table readings_rest partition of readings default partition by hash (id);
create table readings_rest_0 partition of readings_rest for values with (modulus 2, remainder 0);
create table readings_rest_1 partition of readings_rest for values with (modulus 2, remainder 1);
create index readings_value on readings (value);
create table corrections (id int, region text, at date, foreign key (id, region, at) references readings);
