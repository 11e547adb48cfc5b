insert into c (id, x, y, z) values (1, 'q', 5, 6);
