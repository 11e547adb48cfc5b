create table p (id int primary key);
create table t (a int constraint fk references p not enforced, b int constraint k check (b > 0) not enforced);
