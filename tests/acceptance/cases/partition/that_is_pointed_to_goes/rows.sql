insert into log values (1, null), (2, 1), (9, 2);
insert into note values (1, 1);
