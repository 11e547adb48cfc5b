create table public.profiles (user_id uuid primary key references auth.users (id), name text);
