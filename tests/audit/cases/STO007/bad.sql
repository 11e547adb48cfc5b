create table public.countries (code text primary key);
create table public.messages (id uuid primary key, org_id uuid not null, body text);
create publication supabase_realtime for table public.messages;
