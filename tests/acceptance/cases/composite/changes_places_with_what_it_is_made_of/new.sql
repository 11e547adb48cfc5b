create domain email as bigint constraint other check (value::text <> 'zz');
create table t (a email, b int, c email);
create type mood as enum ('a', 'c');
create table u (a mood, b mood);
create type inner_ as (z text, x text);
create table v (a inner_, b inner_);
