create table p (id int, at date, primary key (id, at)) partition by range (at);
create table p1 partition of p default;
create table r (id int, at date, foreign key (id, at) references p);
