create table p (id int, at date) partition by range (at);
create table p1 partition of p for values from ('2024-01-01') to ('2025-01-01');
