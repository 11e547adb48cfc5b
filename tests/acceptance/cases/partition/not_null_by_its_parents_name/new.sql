create table bands (band int not null, geom int not null, unique (band, geom)) partition by list (band);
create table bands_12 partition of bands for values in (12);
