create table p (id int primary key, a int constraint u unique, b int);
create table c (p int constraint fk references p, q int constraint fq references p deferrable, constraint positive check (p > 0));
