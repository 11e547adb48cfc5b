create table t (a int constraint must not null, b int constraint other not null, c int constraint y not null no inherit);
