create table t (a int not null, b int constraint z not null, c int constraint y not null);
