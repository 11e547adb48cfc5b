insert into t values (1, 'x'); insert into moves values (2, 'y');
