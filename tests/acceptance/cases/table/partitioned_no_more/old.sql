create table logs (id serial, at date, line text) partition by hash (id);
create table logs_0 partition of logs for values with (modulus 2, remainder 0);
create table logs_1 partition of logs for values with (modulus 2, remainder 1);
create function kept() returns trigger language plpgsql as 'begin return new; end';
create trigger kept after insert on logs for each row execute function kept();
