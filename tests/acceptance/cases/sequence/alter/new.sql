create sequence s as bigint start 6 increment 1 maxvalue 700;
