create table t (a int primary key with (fillfactor = 60), b int unique);
comment on index t_pkey is 'the key';
