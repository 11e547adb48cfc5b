-- What the database `shop` is to look like. Change it, save, and look at http://127.0.0.1:8432.
create table public.notes (
  id bigint generated always as identity primary key,
  body text not null,
  written_at timestamptz not null default now()
);
create index notes_written_at on public.notes (written_at);
