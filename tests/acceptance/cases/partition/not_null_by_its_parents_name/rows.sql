insert into bands values (12, 1);
