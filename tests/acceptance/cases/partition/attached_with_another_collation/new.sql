create table p (id integer, a text collate "C") partition by list (id);
create table t (id integer, a text collate "C");
alter table p attach partition t for values in (1);
create table moves (id integer, a text collate "C");
alter table p attach partition moves for values in (2);
