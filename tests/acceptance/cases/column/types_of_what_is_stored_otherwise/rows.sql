insert into note values (1, 't', 'c', '{low,high}', 1), (2, null, null, null, null);
insert into child values (1, 'x');
