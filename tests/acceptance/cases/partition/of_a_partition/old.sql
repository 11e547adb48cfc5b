create table p (id int, at date) partition by range (at);
