insert into numbered (v) values ('x'), ('y');
