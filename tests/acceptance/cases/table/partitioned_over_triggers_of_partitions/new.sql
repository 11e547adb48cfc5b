create table crossings (id int not null, region text not null, note text) partition by hash (id);
create table crossings_0 partition of crossings for values with (modulus 2, remainder 0);
create table crossings_1 partition of crossings for values with (modulus 2, remainder 1);
create function again() returns trigger language plpgsql as 'begin new.note := new.note || '' again''; return new; end';
create trigger again before insert on crossings_0 for each row execute function again();
create function never() returns trigger language plpgsql as 'begin raise exception ''never''; end';
create trigger never before truncate on crossings_1 execute function never();
