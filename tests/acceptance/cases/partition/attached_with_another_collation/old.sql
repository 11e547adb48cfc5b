create table p (id integer, a text collate "C") partition by list (id);
create table t (id integer, a text);
create table moves (id integer, a varchar(9));
