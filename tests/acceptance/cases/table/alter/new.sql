create unlogged table t (id int primary key, a text not null default 'x', b numeric(9, 2)) with (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
comment on table t is 'uu';
alter table t enable row level security;
grant insert on t to public;
grant select (b) on t to public;
