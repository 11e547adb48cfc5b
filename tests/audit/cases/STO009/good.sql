create policy own_files on storage.objects for select to authenticated
  using (bucket_id = 'avatars' and owner = (select auth.uid()));
