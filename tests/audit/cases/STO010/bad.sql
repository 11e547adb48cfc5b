create policy members_read on storage.objects for select to authenticated
  using (bucket_id = 'contracts' and (select auth.uid()) is not null);
