create table public.members (org_id uuid not null, user_id uuid not null, primary key (org_id, user_id));
grant select on public.members to authenticated;
alter table public.members enable row level security;

create schema private;
create function private.my_organisations() returns setof uuid
  language sql stable security definer set search_path = ''
  return (select m.org_id from public.members as m where m.user_id = (select auth.uid()));

create policy fellow_members on public.members for select to authenticated
  using (org_id in (select private.my_organisations()));
