create table public.profiles (user_id uuid primary key references auth.users (id) on delete cascade, name text not null);
grant select on public.profiles to authenticated;
alter table public.profiles enable row level security;
create policy own_profile on public.profiles for select to authenticated using (user_id = (select auth.uid()));
