alter table auth.users add constraint users_email_key unique (email);
create table public.profiles (email text primary key references auth.users (email), name text);
