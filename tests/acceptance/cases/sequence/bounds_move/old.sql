create sequence s;
select nextval('s');
create sequence d increment -1;
