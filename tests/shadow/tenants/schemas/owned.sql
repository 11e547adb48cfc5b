-- Everybody for themselves: no tenants, rows belong to users, some through others.
create table public.profiles (user_id uuid primary key references auth.users (id), handle text unique not null, bio text);
create table public.categories (id smallint primary key, name text not null);
create table public.lists (id uuid primary key default gen_random_uuid(), owner uuid not null default auth.uid() references auth.users (id), category_id smallint references public.categories (id), title text not null);
create table public.items (id uuid primary key default gen_random_uuid(), list_id uuid not null references public.lists (id) on delete cascade, text text not null, done boolean not null default false);
create table public.item_images (id uuid primary key default gen_random_uuid(), item_id uuid not null references public.items (id), path text not null);
create table public.follows (follower uuid not null references public.profiles (user_id), followed uuid not null references public.profiles (user_id), primary key (follower, followed), check (follower <> followed));
alter table public.profiles enable row level security;
alter table public.lists enable row level security;
alter table public.items enable row level security;
alter table public.item_images enable row level security;
alter table public.follows enable row level security;
create policy all_see on public.profiles for select using (true);
create policy own on public.profiles for update using (auth.uid() = user_id);
create policy own on public.lists using (auth.uid() = owner) with check (auth.uid() = owner);
create policy own on public.items using (list_id in (select id from public.lists where owner = auth.uid()));
create policy own on public.item_images using (exists (select 1 from public.items i join public.lists l on l.id = i.list_id where i.id = item_id and l.owner = auth.uid()));
create policy own on public.follows using (follower = auth.uid());
revoke insert, update, delete, truncate on public.categories from anon, authenticated;
