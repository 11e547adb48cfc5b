create table t (id int primary key, owner_id bigint not null, size bigint generated always as (owner_id * 2) stored);
alter table t enable row level security;
create policy own on t for select using (owner_id = current_setting('app.user', true)::int);
comment on policy own on t is 'only what is yours';
create view mine as select id, owner_id from t where owner_id > 0;
create function seen() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger seen before update of owner_id on t for each row when (new.owner_id > 1) execute function seen();
