create table p (id int primary key);
create table c (p int constraint fk references p constraint k check (p > 0));
