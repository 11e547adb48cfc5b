create schema s;
alter default privileges in schema s grant select on sequences to public;
create table s.plain (a int);
create table s.numbered (a int generated always as identity, b int generated always as identity, c int generated always as identity);
grant usage on sequence s.numbered_a_seq to pg_monitor;
revoke all on sequence s.numbered_b_seq from public;
comment on sequence s.numbered_c_seq is 'counts';
