create type mood as enum ('high', 'low');
create type pair as (b text, a integer);
create foreign data wrapper far;
create server first foreign data wrapper far;
create server other foreign data wrapper far;
create foreign table moved (id integer, m mood, p pair) server other;
create foreign table coming (id integer, m mood, p pair) server first;
