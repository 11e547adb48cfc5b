create unlogged sequence numbers;
create sequence others;
create unlogged table t (id integer default nextval('numbers'), o integer default nextval('others'));
alter sequence numbers owned by t.id;
alter sequence others owned by t.o;
