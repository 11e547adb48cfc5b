create function public.my_organisation() returns uuid
  language sql stable set search_path = ''
  as $$ select nullif(current_setting('app.org_id', true), '')::uuid $$;
