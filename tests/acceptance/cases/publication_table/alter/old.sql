create table public.kept (id integer primary key);
create table public.dropped (id integer primary key);
create table public.left (id integer primary key);
create publication p for table public.kept, public.dropped, public.left;
