insert into t values (1, 1), (3, 3);
insert into kid values (4);
