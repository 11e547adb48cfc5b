create table item (id integer not null, code text not null, d text);
create table note (id integer, item integer);
create unique index a_coded on item (code);
create table word (id integer, code text references item (code));
