"""The database of the catalog benchmark: many tables that are alike, as declarations and as SQL.

Each table has eight columns, a primary key, a foreign key to a neighbour, two indexes, a trigger and two policies. Pure text.
"""

from __future__ import annotations

from pathlib import Path

FUNCTION = """create function public.touched() returns trigger language plpgsql set search_path to '' as $$
begin
  new.changed_at := pg_catalog.now();
  return new;
end
$$"""


def table(n: int) -> str:
    """The statements of table number `n`, one after another. Each tenth table begins a chain of foreign keys."""
    name, target = f"t{n:05d}", f"t{n - 1 if n % 10 else n:05d}"
    return f"""create table public.{name} (
  id bigint not null,
  org_id uuid not null,
  parent_id bigint,
  title text not null default 'untitled',
  amount numeric(12,2),
  tags text[],
  created_at timestamptz not null default now(),
  changed_at timestamptz,
  constraint {name}_pkey primary key (id),
  constraint {name}_parent_fkey foreign key (parent_id) references public.{target} (id) on delete cascade
);
create index {name}_org_idx on public.{name} (org_id, created_at desc);
create index {name}_title_idx on public.{name} (lower(title)) where amount > 0;
create trigger {name}_touched before update on public.{name} for each row execute function public.touched();
alter table public.{name} enable row level security;
create policy {name}_read on public.{name} for select using (org_id = current_setting('app.org_id', true)::uuid);
create policy {name}_write on public.{name} for update using (org_id = current_setting('app.org_id', true)::uuid)
  with check (amount is null or amount >= 0);
"""


def declared(folder: Path, tables: int) -> None:
    """The whole database as a schema directory, one file a table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "functions.sql").write_text(FUNCTION + ";\n", encoding="utf-8")
    for n in range(tables):
        (folder / f"t{n:05d}.sql").write_text(table(n), encoding="utf-8")


def ten_changes(folder: Path) -> None:
    """Ten changes of ten different tables, in the declarations."""
    edits = (
        ("  changed_at timestamptz,\n", "  changed_at timestamptz,\n  note text,\n"),
        ("title text not null default 'untitled'", "title text not null default 'none'"),
        ("amount numeric(12,2)", "amount numeric(14,2)"),
        ("tags text[],\n", ""),
        ("(org_id, created_at desc)", "(org_id)"),
        ("where amount > 0", "where amount > 1"),
        ("before update on", "before insert or update on"),
        ("amount is null or amount >= 0", "amount >= 0"),
        ("on delete cascade", "on delete set null"),
        ("  org_id uuid not null,\n", "  org_id uuid not null default gen_random_uuid(),\n"),
    )
    for n, (old, new) in enumerate(edits):
        path = folder / f"t{n * 37 + 5:05d}.sql"
        text = path.read_text(encoding="utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new), encoding="utf-8")
