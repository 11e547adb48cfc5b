"""Each trigger tried by itself: what is wrong with one is found and named, and a trigger that does the same rightly passes."""

from __future__ import annotations

from pathlib import Path

from reconciler.engine import testing
from reconciler.engine.subject import of_source
from reconciler.engine.testing import Wanted
from reconciler.settings import Database

SCHEMA = """
create role trial_member nologin;
create table public.tenants (id uuid primary key);
create table public.counts (tenant_id uuid primary key references public.tenants (id), n integer not null default 0);
create table public.boxes (id uuid primary key, tenant_id uuid not null references public.tenants (id), n integer not null default 0);
create table public.log (id bigint generated always as identity primary key, tenant_id uuid not null, what text not null);
alter table public.counts enable row level security;
create policy own on public.counts for select to trial_member
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select, update on public.counts to trial_member;
"""
TABLE = """
create table public.{name} (
  id uuid primary key default gen_random_uuid(), tenant_id uuid not null references public.tenants (id), name text not null,
  n integer not null, box_id uuid not null references public.boxes (id), unique (tenant_id, name));
alter table public.{name} enable row level security;
create policy own on public.{name} to trial_member
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select, insert, update, delete on public.{name} to trial_member;
create function public.f_{name}() returns trigger language plpgsql {rights} as $$ begin {body} end $$;
create trigger t {when} on public.{name} {each} execute function public.f_{name}();
"""
DEFINER = "security definer set search_path = ''"
ROW = "for each row"
LOG = "insert into public.log (tenant_id, what) values (new.tenant_id, new.name);"
COUNT = "update public.counts set n = n + 1 where tenant_id = new.tenant_id;"
ROWS = "referencing new table as fresh for each statement"
TRIGGERS = {
    "right": (DEFINER, "after insert", ROW, f"{COUNT} {LOG} return null;", set()),
    "swallows": (
        DEFINER,
        "after insert",
        ROW,
        f"begin {LOG} exception when others then null; end; return null;",
        {"swallowed error"},
    ),
    "swallows_the_second": (
        DEFINER,
        "after insert",
        ROW,
        f"{LOG} begin {LOG} exception when others then raise warning 'no second row'; end; return null;",
        {"swallowed error"},
    ),
    "starves": ("", "after insert", ROW, f"{COUNT} return null;", {"starvation"}),
    "recurs": (
        DEFINER,
        "after update",
        ROW,
        "update public.recurs set n = n + 1 where id = new.id; return null;",
        {"recursion"},
    ),
    "first_only": (
        DEFINER,
        "after insert",
        ROWS,
        "insert into public.log (tenant_id, what) select tenant_id, name from fresh limit 1; return null;",
        {"bulk"},
    ),
    "names_itself": (
        DEFINER,
        "before insert",
        ROW,
        "update public.counts set n = n + 1 where tenant_id = new.tenant_id returning new.name || ' ' || n into new.name; return new;",
        set(),
    ),
    "one_parent_only": (
        DEFINER,
        "after insert",
        ROWS,
        "update public.counts set n = n + (select count(*) from fresh) where tenant_id in (select tenant_id from fresh);"
        " update public.boxes set n = n + (select count(*) from fresh) where id in (select box_id from fresh); return null;",
        {"bulk"},
    ),
    "too_early": (DEFINER, "before insert", ROW, f"{COUNT} return new;", {"wrong timing"}),
    "drops": (DEFINER, "before insert", ROW, "if new.n is null then return null; end if; return new;", {"lost row"}),
    "strays": (
        DEFINER,
        "after insert",
        ROW,
        "insert into public.log (tenant_id, what) select id, 'x' from public.tenants where id <> new.tenant_id; return null;",
        {"foreign row"},
    ),
}  # fmt: skip

SOFT = """
create table public.posts (id bigint generated always as identity primary key, title text not null, deleted_at timestamptz);
create table public.comments (id bigint generated always as identity primary key, post_id bigint not null references public.posts (id),
  deleted_at timestamptz);
create function public.live() returns trigger language plpgsql as $$
begin
  if (select deleted_at from public.posts where id = new.post_id) is not null then raise exception 'the post is deleted'; end if;
  return new;
end $$;
create trigger live before insert on public.comments for each row execute function public.live();
create function public.cascade() returns trigger language plpgsql as $$
begin
  update public.comments set deleted_at = new.deleted_at where post_id = new.id and deleted_at is null;
  return null;
end $$;
create trigger cascade after update on public.posts for each row when (old.deleted_at is null and new.deleted_at is not null)
  execute function public.cascade();
"""


def test_what_is_deleted_softly_is_there_first_and_goes_in_a_race(tmp_path: Path) -> None:
    """Made-up rows that were all deleted already would let nobody write; the check that sees the post and the cascade miss each other."""
    file = tmp_path / "schema.sql"
    file.write_text(SOFT)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.posts.cascade", levels=("read committed",), bulk=50)
        cases = testing.tested(subject, Database(name="x"), wanted).cases
        assert {case.verdict for case in cases} == {"passed"} and len(cases) > 5, cases
        wanted = Wanted("public.comments/insert-against-deleted_at-of-posts", levels=("read committed",))
        (race,) = testing.tested(subject, Database(name="x"), wanted).cases
    assert (race.verdict, race.found) == ("failed", "anomaly"), race


def test_what_is_wrong_with_a_trigger_is_found(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(
        SCHEMA
        + "".join(
            TABLE.format(name=name, rights=rights, when=when, each=each, body=body)
            for name, (rights, when, each, body, _) in TRIGGERS.items()
        )
    )
    with of_source(str(file)) as subject:
        wanted = Wanted("public.*.t", levels=("read committed",), bulk=50)
        cases = testing.tested(subject, Database(name="x", tenant_column="tenant_id"), wanted).cases
    found: dict[str, set[str]] = {name: set() for name in TRIGGERS}
    for case in cases:
        if case.verdict == "failed":
            found[case.subject.name].add(case.found)
    assert found == {name: wrong for name, (*_, wrong) in TRIGGERS.items()}
    tried = {case.name.split("/", 1)[1] for case in cases if case.subject.name == "right"}
    assert {"insert: normal, serializable", "insert: 50 rows", "insert: public.log refuses"} <= tried


STATES = """
create type public.state as enum ('draft', 'placed', 'paid');
create table public.orders (id bigint generated always as identity primary key, state public.state not null default 'draft');
create table public.sent (order_id bigint not null, state public.state not null);
create function public.in_order() returns trigger language plpgsql as $$
begin
  if (old.state, new.state) not in (('draft', 'placed'), ('placed', 'paid'), ('paid', 'draft')) then
    raise exception 'not from % to %', old.state, new.state;
  end if;
  insert into public.sent values (new.id, new.state);
  return null;
end $$;
create trigger in_order after update of state on public.orders for each row when (old.state <> new.state) execute function public.in_order();
"""


def test_a_state_that_no_row_holds_is_tried(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(STATES)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.orders.in_order", levels=("read committed",), bulk=50)
        cases = testing.tested(subject, Database(name="x"), wanted).cases
    assert any(case.name.endswith("update: normal, serializable") for case in cases), cases


KEPT = """
create table public.docs (id bigint generated always as identity primary key, title text not null);
create table public.heads (one integer primary key check (one = 1), seq bigint not null);
create table public.chain (seq bigint primary key, what text not null);
create function public.append() returns trigger language plpgsql as $$
declare v_seq bigint;
begin
  insert into public.heads as h values (1, 1) on conflict (one) do update set seq = h.seq + 1 returning seq into v_seq;
  insert into public.chain values (v_seq, new.title);
  return null;
end $$;
create trigger append after insert on public.docs for each row execute function public.append();
"""


def test_made_up_rows_of_a_table_that_triggers_keep_are_no_obstacle(tmp_path: Path) -> None:
    """The number at which a chain stands and its made-up rows do not agree: the next one was there already, and nothing was tried."""
    file = tmp_path / "schema.sql"
    file.write_text(KEPT)
    with of_source(str(file)) as subject:
        wanted = Wanted("public.docs[./]*[dy]", levels=("read committed",), bulk=50)
        report = testing.tested(subject, Database(name="x"), wanted)
    assert {case.verdict for case in report.cases} == {"passed"} and not report.untried, report
    assert {"race", "trial"} == {case.kind for case in report.cases}
