create function f() returns trigger language plpgsql as 'begin return new; end';
create table p (id int, at date) partition by range (at);
create table p1 partition of p default;
create trigger t before insert on p for each row execute function f();
