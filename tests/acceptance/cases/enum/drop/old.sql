create type mood as enum ('sad', 'ok');
comment on type mood is 'feelings';
create table t (m mood default 'ok');
