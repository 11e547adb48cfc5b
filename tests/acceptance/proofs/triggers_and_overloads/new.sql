create table t (id int primary key, note text);
create function f(a int) returns bigint language sql as 'select a::bigint';
create function f(a text, b text default '') returns text language sql as 'select a || b';
create function log() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger a_log after insert on t referencing new table as added for each statement execute function log();
create constraint trigger b_log after update on t deferrable initially deferred for each row execute function log();
alter table t enable always trigger a_log;
