create table p (id int primary key);
create table c (p int);
alter table c add constraint fk foreign key (p) references p not valid;
alter table c add constraint k check (p > 0) not valid;
