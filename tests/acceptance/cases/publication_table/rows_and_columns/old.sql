create table public.orders (id integer primary key, status text, note varchar(10), secret text);
create publication p for table public.orders (id, status, note) where (status = 'open');
create publication q for table public.orders (id, note);
create publication r for table public.orders;
