-- The tenant of a user is looked up in their profile; keys of their own for people; a register of those who rule over all; an API key's project.
create table public.gardens (id bigint primary key generated always as identity, name text not null, colour text);
create table public.gardeners (uid bigint primary key generated always as identity, auth_id uuid not null unique references auth.users (id), nick text not null);
create table public.garden_members (garden bigint not null references public.gardens (id), gardener bigint not null references public.gardeners (uid),
  level text not null default 'helper', primary key (garden, gardener));
create table public.super_admins (user_id uuid primary key references auth.users (id));
create table public.beds (id bigint primary key generated always as identity, garden bigint not null references public.gardens (id), sort text not null);
create table public.plants (id bigint primary key generated always as identity, bed bigint references public.beds (id), pot bigint, name text not null);
create table public.pots (id bigint primary key generated always as identity, garden bigint not null references public.gardens (id));
alter table public.plants add foreign key (pot) references public.pots (id), add check (num_nonnulls(bed, pot) = 1);
create table public.likes (auth_id uuid not null references auth.users (id), plant bigint not null references public.plants (id), primary key (auth_id, plant));
create function public.my_gardens() returns setof bigint language sql stable security definer set search_path = '' as $$
  select m.garden from public.garden_members m join public.gardeners g on g.uid = m.gardener where g.auth_id = auth.uid()
$$;
create function public.rules() returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.super_admins s where s.user_id = (select auth.uid()))
$$;
do $$
declare t text;
begin
  foreach t in array array['gardens', 'gardeners', 'garden_members', 'super_admins', 'beds', 'plants', 'pots', 'likes'] loop
    execute format('alter table public.%I enable row level security', t);
  end loop;
end
$$;
create policy members on public.gardens using (id in (select public.my_gardens()) or public.rules());
create policy own on public.gardeners using (auth_id = auth.uid());
create policy members on public.garden_members using (garden in (select public.my_gardens()));
create policy members on public.beds using (garden in (select public.my_gardens()) or public.rules());
create policy members on public.pots using (garden in (select public.my_gardens()) or public.rules());
create policy members on public.plants using (
  exists (select 1 from public.beds b where b.id = plants.bed and b.garden in (select public.my_gardens()))
  or exists (select 1 from public.pots p where p.id = plants.pot and p.garden in (select public.my_gardens())));
create policy own on public.likes using (auth_id = auth.uid());
create policy rulers on public.super_admins for select using (user_id = auth.uid());
-- Who may do more stands in a document, and so does what a trigger wants.
alter table public.garden_members add column extra jsonb not null default '{}';
create table public.tools (id bigint primary key generated always as identity, garden bigint not null references public.gardens (id), about jsonb not null);
alter table public.tools enable row level security;
create policy keepers on public.tools using (exists (
  select from public.garden_members m join public.gardeners g on g.uid = m.gardener
  where m.garden = tools.garden and g.auth_id = auth.uid() and (m.extra -> 'rights' ->> 'role') in ('keeper_admin', 'helper')
  and m.extra -> 'rights' ->> 'role' <> 'helper'));
create function public.weigh() returns trigger language plpgsql as $$
begin
  if (new.about ->> 'grams')::int < 1 or new.about ->> 'owner_user_id' is null or (new.about ->> 'shelf')::uuid is not null or new.about ->> 'maker' is null then raise exception 'nothing to weigh'; end if;
  return new;
end
$$;
create trigger weigh before insert on public.tools for each row execute function public.weigh();
