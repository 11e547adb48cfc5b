create sequence s as integer start 5 increment 5 maxvalue 500 cache 2 cycle;
comment on sequence s is 'fives';
