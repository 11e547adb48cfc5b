create table t (id int primary key, note text);
create function f(a int) returns int language sql as 'select a';
create function f(a text) returns text language sql as 'select a';
create function log() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger a_log after insert on t for each row execute function log();
create trigger b_log after update on t for each row execute function log();
