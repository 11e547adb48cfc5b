create table logs (id serial primary key, at date, line text);
create table logs_1 (id int, at date, line text);
create function kept() returns trigger language plpgsql as 'begin return new; end';
create trigger kept after insert on logs for each row execute function kept();
