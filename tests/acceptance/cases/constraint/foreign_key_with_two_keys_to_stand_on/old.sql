create table item (id integer not null, code text not null, d text);
alter table item add constraint z_main primary key (id);
alter table item add constraint a_other unique (id) include (d);
create table note (id integer, item integer);
alter table note add constraint b_points foreign key (item) references item (id) on delete cascade;
alter table note add constraint c_points foreign key (item) references item (id);
alter table item add constraint self foreign key (id) references item (id);
create unique index coded on item (code);
create table word (id integer, code text references item (code));
