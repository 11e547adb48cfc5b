create foreign data wrapper w;
create server options_of version '1' foreign data wrapper w options (host 'db1', port '5432');
create server remade type 'a' foreign data wrapper w;
create user mapping for public server remade options ("user" 'x');
create foreign table public.far (id integer not null default 7, note text) server remade options (name 'far');
comment on column public.far.note is 'kept';
create view public.near as select id from public.far;
