create foreign data wrapper w;
create server options_of version '2' foreign data wrapper w options (host 'db2', dbname 'shop');
comment on server options_of is 'moved';
create server remade type 'b' foreign data wrapper w;
create user mapping for public server remade options ("user" 'x');
create foreign table public.far (id integer not null default 7, note text) server remade options (name 'far');
comment on column public.far.note is 'kept';
create view public.near as select id from public.far;
