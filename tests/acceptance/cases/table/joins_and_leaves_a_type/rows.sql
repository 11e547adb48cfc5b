insert into joins values (1, 2);
insert into leaves values (1, 2);
insert into turns values (1, 2);
