create table t (id integer, c text) partition by list (id);
