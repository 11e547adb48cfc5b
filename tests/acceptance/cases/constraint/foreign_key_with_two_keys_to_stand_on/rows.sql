insert into item values (1, 'a'), (2, 'b');
insert into note values (1, 2);
insert into word values (1, 'b');
