create table p (id int primary key, a int unique, r int4range, check (a > 0) no inherit, exclude using gist (r with &&) where (a > 1) deferrable initially deferred);
create table c (p int, constraint fk foreign key (p) references p (a) on delete cascade on update set null deferrable);
comment on constraint fk on c is 'kk';
