create table t (id int primary key, a text not null default 'x', b numeric(9, 2));
comment on table t is 'tt';
comment on column t.a is 'aa';
alter table t enable row level security;
alter table t force row level security;
grant select on t to public;
grant update (a) on t to public;
