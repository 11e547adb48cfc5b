insert into broken values (1, 'much too long');
insert into note (id, c) values (1, 'x');
insert into gone values (1, ('much too long', 1));
