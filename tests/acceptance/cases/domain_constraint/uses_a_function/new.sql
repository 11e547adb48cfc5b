create function ok(i int) returns boolean language sql immutable as 'select $1 > 1';
create domain d as int check (ok(value));
create domain e as int check (ok(value));
