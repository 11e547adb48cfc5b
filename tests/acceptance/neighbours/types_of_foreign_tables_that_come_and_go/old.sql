create type mood as enum ('low', 'high', 'middle');
create type pair as (a integer);
create foreign data wrapper far;
create server first foreign data wrapper far;
create server other foreign data wrapper far;
create foreign table moved (id integer, m mood, p pair) server first;
create foreign table going (id integer, m mood, p pair) server first;
