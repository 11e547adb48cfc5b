create table counted (a int, b int, c int);
create statistics bs on b, c from counted;
create statistics es on (a + b), c, a from counted;
