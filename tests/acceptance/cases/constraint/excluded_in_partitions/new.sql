create table t (id integer, a text, exclude using btree (id with =)) partition by list (id);
create table p partition of t default;
create table q partition of t for values in (1);
