create domain email as bit(4) constraint other check (value::text <> 'zz');
create type pair as (y email[]);
create table t (a pair, b int, c email);
create type mood as enum ('a', 'b', 'c');
create type moody as (m mood, n int);
create table u (a moody, b mood);
create type inner_ as (x int);
create type outer_ as (i inner_, j int);
create table v (a outer_, b inner_);
