create table public.orders (id integer primary key, status varchar(20), note text, secret text);
create publication p for table public.orders (id, note) where (status <> 'closed');
create publication q for table public.orders;
create publication r for table public.orders (id) where (id > 10);
