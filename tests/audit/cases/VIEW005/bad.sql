-- also: VIEW001
create view public.people as select id, email from auth.users;
grant select on public.people to authenticated;
