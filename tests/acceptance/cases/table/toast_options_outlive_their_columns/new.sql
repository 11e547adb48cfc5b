create table note (id integer, day date, words text[]) with (toast.autovacuum_enabled = false);
create table log (id bigint, line text) with (toast.autovacuum_enabled = false, fillfactor = 70);
comment on table note is 'changes, too';
