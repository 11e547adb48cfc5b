create table t (a int constraint an not null, b int, c int not null no inherit, d int constraint dn not null);
create table k (e int constraint en not null) inherits (t);
