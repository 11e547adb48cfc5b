"""How long an audit takes: 150 tables, 400 policies, 140 triggers by default.

    python -m tests.benchmarks.audit --tables 150

Prints seconds by stage, cells and what is decided. The bar is five minutes on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from reconciler.engine.auditing import audited
from reconciler.engine.subject import of_source
from reconciler.settings import Database

HEAD = """\
create schema private;
create table public.orgs (id uuid primary key default gen_random_uuid(), name text not null);
create table public.members (
  org_id uuid not null references public.orgs (id), user_id uuid not null references auth.users (id), admin boolean not null default false,
  primary key (org_id, user_id));
create table public.log (id bigint generated always as identity primary key, org_id uuid not null, what text not null, at timestamptz not null default now());
create function private.mine(p_org uuid) returns boolean language sql stable security definer set search_path = ''
  as $$ select exists (select from public.members as m where m.org_id = p_org and m.user_id = (select auth.uid())) $$;
create function private.touch() returns trigger language plpgsql set search_path = ''
  as $$ begin new.changed_at := pg_catalog.now(); return new; end $$;
create function private.logged() returns trigger language plpgsql security definer set search_path = ''
  as $$ begin insert into public.log (org_id, what) select w.org_id, tg_table_name from written as w; return null; end $$;
alter table public.orgs enable row level security;
alter table public.members enable row level security;
alter table public.log enable row level security;
create policy mine on public.orgs for select to authenticated using (private.mine(id));
create policy mine on public.members for select to authenticated using (private.mine(org_id));
"""
TAIL = """\
revoke all on all tables in schema public from anon, authenticated;
revoke all on all functions in schema private from public, anon, authenticated;
grant execute on function private.mine(uuid) to authenticated;
grant select on public.orgs, public.members to authenticated;
"""
TABLE = """\
create table public.t{n} (
  org_id uuid not null references public.orgs (id) on delete cascade, id uuid not null default gen_random_uuid(), title text not null,
  state text not null default 'open' check (state in ('open', 'shut')), amount numeric(10, 2) not null default 0 check (amount >= 0),
  parent_id uuid, owner_id uuid references auth.users (id), changed_at timestamptz not null default now(),
  primary key (org_id, id){parent});
create index t{n}_owner on public.t{n} (owner_id);
alter table public.t{n} enable row level security;
{policies}
"""


def schema(tables: int, policies: int, triggers: int) -> str:
    """Tables that point to each other within a tenant, with policies by command, and triggers that touch and log."""
    text, grants, left, armed = [HEAD], [], policies - 2, triggers
    for n in range(tables - 3):
        parent = (
            f",\n  foreign key (org_id, parent_id) references public.t{n - 1} (org_id, id)" if n % 5 else ""
        )
        share = max(1, min(4, round(left / (tables - 3 - n))))
        left -= share
        commands = ("select", "insert", "update", "delete")[:share]
        said = []
        for command in commands:
            using = "" if command == "insert" else " using (private.mine(org_id))"
            check = " with check (private.mine(org_id))" if command in ("insert", "update") else ""
            said.append(
                f"create policy {command}_mine on public.t{n} for {command} to authenticated{using}{check};"
            )
        text.append(TABLE.format(n=n, parent=parent, policies="\n".join(said)))
        if armed:
            armed -= 1
            text.append(
                f"create trigger touch before update on public.t{n} for each row execute function private.touch();"
                if n % 2
                else f"create trigger logged after insert on public.t{n} referencing new table as written for each statement"
                " execute function private.logged();"
            )
        grants.append(f"grant {', '.join(commands)} on public.t{n} to authenticated;")
    return "\n".join([*text, TAIL, *grants])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=150)
    parser.add_argument("--policies", type=int, default=400)
    parser.add_argument("--triggers", type=int, default=140)
    given = parser.parse_args()
    spent: dict[str, float] = defaultdict(float)
    last = ["", time.monotonic()]

    def told(stage: str) -> None:
        now = time.monotonic()
        spent[str(last[0])] += now - float(last[1])
        last[:] = [" ".join(stage.split()[:1]), now]

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schema.sql"
        file.write_text(schema(given.tables, given.policies, given.triggers))
        began = time.monotonic()
        with of_source(str(file), told=told) as subject:
            found = audited(subject, Database(name="many"), told=told)
        told("")
    for stage, seconds in spent.items():
        if stage:
            print(f"{stage:<12} {seconds:7.1f} s")
    print(
        f"{given.tables} tables, {given.policies} policies, {given.triggers} triggers: {time.monotonic() - began:.1f} s; {len(found.cells)} cells,"
        f" {found.decided:.1%} decided, {dict(found.by_verdict)}, {dict(found.by_severity)}, unseeded {len(found.unseeded)}"
    )


if __name__ == "__main__":
    main()
