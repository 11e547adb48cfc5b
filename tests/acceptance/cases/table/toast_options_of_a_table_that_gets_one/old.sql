create table small (id int) with (fillfactor = 80);
