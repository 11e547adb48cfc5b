-- The organisation that a request acts for: the `org_id` claim of its JWT, if the user is still a member of it.
-- The claim alone would outlive a membership until the token expires; the membership alone could not choose among
-- several organisations. No claim, an empty claim, or somebody else's organisation: NULL, and NULL equals no row.
-- The claim must be set by the server (Supabase: the access-token hook), never taken from user_metadata, which users
-- write themselves.
--
-- SECURITY DEFINER, because the policies on members ask this very question: with the caller's rights it would ask
-- itself without end. For the same reason members does not force row-level security on its owner.
create function private.current_org_id() returns uuid
language sql stable security definer
set search_path = ''
as $$
  select m.org_id
  from public.members as m
  where m.org_id = nullif(auth.jwt() ->> 'org_id', '')::uuid
    and m.user_id = auth.uid()
$$;

-- The same, for what only the administrators of an organisation may do.
create function private.current_admin_org_id() returns uuid
language sql stable security definer
set search_path = ''
as $$
  select m.org_id
  from public.members as m
  where m.org_id = nullif(auth.jwt() ->> 'org_id', '')::uuid
    and m.user_id = auth.uid()
    and m.role = 'admin'
$$;

revoke all on function private.current_org_id() from public, anon, authenticated, service_role;
revoke all on function private.current_admin_org_id() from public, anon, authenticated, service_role;
grant execute on function private.current_org_id() to authenticated;
grant execute on function private.current_admin_org_id() to authenticated;
