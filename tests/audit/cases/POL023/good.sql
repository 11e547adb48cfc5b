create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
grant select on public.invoices to authenticated;
alter table public.invoices enable row level security;
create table public.members (org_id uuid not null, user_id uuid not null, role text not null, primary key (org_id, user_id));

grant select on public.members to authenticated;
alter table public.members enable row level security;
create policy own_memberships on public.members for select to authenticated
  using (user_id = (select auth.uid()));

create policy members_read on public.invoices for select to authenticated
  using (org_id in (select m.org_id from public.members as m where m.user_id = (select auth.uid())));
