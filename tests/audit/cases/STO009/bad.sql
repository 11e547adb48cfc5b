create schema storage;
create table storage.objects (id uuid primary key, bucket_id text not null, owner uuid, name text);
alter table storage.objects enable row level security;

create policy own_files on storage.objects for select to authenticated
  using (owner = (select auth.uid()));
