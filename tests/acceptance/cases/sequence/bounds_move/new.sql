create sequence s minvalue 100 start 100 maxvalue 200;
create sequence d increment -2 minvalue -50 maxvalue -10 start -10;
