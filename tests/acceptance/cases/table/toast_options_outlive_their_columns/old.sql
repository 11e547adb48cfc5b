create table note (id integer, title text, day timestamp) with (toast.autovacuum_enabled = false);
create table log (id integer, title text) with (toast.autovacuum_enabled = false, fillfactor = 70);
