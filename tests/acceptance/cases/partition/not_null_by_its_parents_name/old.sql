create table bands (band int not null, geom int not null, unique (band, geom)) partition by list (band);
create table bands_12 (band int not null, geom int not null, unique (band, geom));
alter table bands attach partition bands_12 for values in (12);
