create table p (id int primary key);
create table t (a int constraint fk references p, b int constraint k check (b > 0));
