create type mood as enum ('awful', 'sad', 'ok', 'great');
create table t (m mood default 'ok');
