create table p (id int, a int constraint u unique deferrable, b int, constraint p_pkey primary key (id, b), unique (id));
create table c (p int constraint fk references p (id) deferrable initially deferred, q int constraint fq references p (id), constraint positive check (p > 1));
