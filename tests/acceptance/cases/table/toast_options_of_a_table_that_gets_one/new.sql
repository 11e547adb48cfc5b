create table small (id int, note text) with (fillfactor = 70, toast.autovacuum_enabled = false);
