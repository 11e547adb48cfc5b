create table counted (a int, c int, b int);
create statistics bs on b, c from counted;
create statistics es on (a + b), c, b from counted;
