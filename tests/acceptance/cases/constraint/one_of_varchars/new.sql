create domain d as varchar check (value in ('a', 'b'));
create table t (a int, s varchar(9) check (s in ('new', 'it''s', E'\\')), "S t" varchar check ("S t" not in ('x', 'y')), u text check (u in ('a', 'b')));
create index on t (a) where s in ('new', 'old');
create view v as select * from t as x where x.s in ('new', 'old');
create policy p on t using (s in ('new', 'old') and "S t" = any ('{a,b}'));
create table made_again (s varchar, constraint k check ((s)::text = any (array[('a'::varchar)::text, ('b'::varchar)::text])));
