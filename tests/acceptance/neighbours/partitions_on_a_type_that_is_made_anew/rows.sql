insert into log values (1);
